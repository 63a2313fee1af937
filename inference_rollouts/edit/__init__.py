"""Editing a stack file as text: only the bytes that are meant change, and the result is read again before it is written.

Comments, order, quoting, anchors, line ends and the final newline stay. What cannot be edited safely is refused, with the line
and what to write by hand. `target` decides where a rollout goes; `operations` edits; `writing` replaces the file in one step;
`changes`, `costs` and `repository` say what a changed file means, costs, and was.
"""
