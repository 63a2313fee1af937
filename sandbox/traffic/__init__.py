"""Traffic for the sandbox: sending it, counting it, and judging what was counted.

`requests` says what to send, `load` sends it, `counts` is what came back. `verdict` judges a split by the statistics of `split`,
`effect` the time that a change took; they know no traffic.
"""
