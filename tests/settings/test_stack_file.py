"""Reading a stack file: what bytes may be in it, what its keys mean, and which line a problem names."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference_rollouts.errors import InputError
from inference_rollouts.settings.stack_file import StackFile, read, stack_name
from inference_rollouts.settings.yaml_nodes import MAX_BYTES

CONFIG_WANTED = "a map with the project's keys is wanted, as inference-rollouts:services"
NODE = (Path(__file__).parent / "bad_files/node.yaml").read_text("utf-8")


@pytest.fixture
def stack(tmp_path):
    """Writes bytes to a stack file, and reads it."""

    def written(data: bytes | str) -> StackFile:
        path = tmp_path / "Pulumi.prod.yaml"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return read(path)

    return written


def refused(data: bytes | str, stack) -> list[str]:
    """What is said about a file, after the file's name."""
    with pytest.raises(InputError) as e:
        stack(data).settings()
    assert all(problem.file and problem.file.endswith("Pulumi.prod.yaml") for problem in e.value.problems)
    return [str(problem).partition("Pulumi.prod.yaml:")[2].strip() for problem in e.value.problems]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", ["is empty; a stack file is a map with the key config"]),
        (b"\n# only a comment\n", ["is empty; a stack file is a map with the key config"]),
        (b"just text\n", ["1: is no stack file: a map with the key config is wanted"]),
        (b"- config\n", ["1: is no stack file: a map with the key config is wanted"]),
        (b"config:\n", [f"1: config: nothing is given, {CONFIG_WANTED}"]),
        (b"config: llm\n", [f"1: config: 'llm' is given, {CONFIG_WANTED}"]),
        (b"\x89PNG\r\n\x1a\n\x00\x00", ["1: is no text in UTF-8: byte 0 is 0x89; save it as UTF-8"]),
        (b"config:\n  a: \xff\n", ["2: is no text in UTF-8: byte 13 is 0xff; save it as UTF-8"]),
        ("config: {}\n".encode("utf-16"), ["1: is no text in UTF-8: byte 0 is 0xff; save it as UTF-8"]),
        (b"config:\n  a: \x00\n", ["2: holds the character U+0000, which no stack file needs; take it out"]),
        (b"config:\n  a: \x1b[31m\n", ["2: holds the character U+001B, which no stack file needs; take it out"]),
        ("config:\n  a: b\u2028c\n".encode(), ["2: holds the character U+2028, which no stack file needs; take it out"]),
        (b"# " + b"x" * MAX_BYTES, [f"has more than {MAX_BYTES} bytes; a stack file has some thousand"]),
    ],
)  # fmt: skip
def test_what_is_no_stack_file_is_refused_in_a_sentence(data, said, stack):
    assert refused(data, stack) == said


def test_a_folder_and_a_missing_file_are_refused_in_a_sentence(tmp_path):
    for path, why in ((tmp_path, "Is a directory"), (tmp_path / "none.yaml", "No such file or directory")):
        with pytest.raises(InputError) as e:
            read(path)
        assert str(e.value) == f"{path}: cannot be read: {why}"


def test_a_byte_order_mark_is_no_problem(stack):
    assert stack(b"\xef\xbb\xbf" + NODE.encode()).settings() == stack(NODE).settings()


def test_line_ends_of_windows_are_no_problem_and_lines_are_counted_alike(stack):
    crlf = NODE.replace("\n", "\r\n")

    assert stack(crlf).settings() == stack(NODE).settings()
    assert refused(crlf.replace("stage: 10", "stage: 11"), stack) == refused(NODE.replace("stage: 10", "stage: 11"), stack)


def test_json_is_yaml(stack):
    data = (
        '{"config": {"cluster": {"context": "kind"}, "gateway": {"name": "g"}, "services": {"llm": {"serving": "a", "versions": '
    )
    data += '{"a": {"server": {"engine": "openai", "image": "i:1"}}}}}}}'

    assert stack(data).settings().services["llm"].serving == "a"


def test_anchors_aliases_and_merge_keys_say_what_they_would_say_written_out(stack):
    text = NODE.replace("nodes: { accelerator: nvidia-l4,", "nodes: &l4 { accelerator: nvidia-l4,").replace(
        "nodes: { accelerator: nvidia-rtx-pro-6000, machineType: g4-standard-48 }", "nodes: { <<: *l4, max: 8 }"
    )
    versions = stack(text).settings().services["llm"].versions

    assert versions["llm"].nodes is not None
    assert versions["llm-new"].nodes == versions["llm"].nodes.model_copy(update={"max": 8})


def test_of_merged_maps_the_first_wins_and_the_map_itself_before_both(stack):
    text = "x: {}\nconfig:\n  y:z: [&a {p: 1, q: 1}, &b {p: 2, r: 2}]\n  cluster: {<<: [*a, *b], q: 3}\n".replace("x: {}\n", "")

    assert stack(text).config["inference-rollouts:cluster"] == {"p": 1, "q": 3, "r": 2}


def test_a_merged_mistake_names_the_line_where_it_is_written(stack):
    text = NODE.replace("nodes: { accelerator: nvidia-l4,", "nodes: &l4 { accelerator: nvidia-l4, zone: a,").replace(
        "nodes: { accelerator: nvidia-rtx-pro-6000, machineType: g4-standard-48 }", "nodes: { <<: *l4 }"
    )

    assert [line.split(":")[0] for line in refused(text, stack)] == ["10", "10"]


def test_keys_of_other_namespaces_are_kept_as_text_and_not_judged(stack):
    config = stack("config:\n  gcp:project: 0123\n  aws:tags: {a: yes, b: [1e3, {secure: x}]}\n  pulumi:disable: true\n").config

    assert config == {"gcp:project": "0123", "aws:tags": {"a": "yes", "b": ["1e3", {"secure": "x"}]}, "pulumi:disable": "true"}


def test_what_pulumi_keeps_in_a_stack_file_is_no_problem(stack):
    stack(f"secretsprovider: passphrase\nencryptionsalt: v1:abc\nencryptedkey: abc\nenvironment: [prod]\n{NODE}").settings()


@pytest.mark.parametrize(
    ("written", "value"),
    [("10", 10), ("-1", -1), ("+2", 2), ("1.5", 1.5), ("true", True), ("False", False), ("~", None), ("null", None), ("", None),
     ('"10"', "10"), ("'no'", "no"), ("v0.32.0", "v0.32.0"), ("1.34.1-gke.1", "1.34.1-gke.1"),
     ("nO-way", "nO-way"), ("tRUE", "tRUE"), ("10.0.0.1", "10.0.0.1"), ("|\n    text", "text\n"), ("08a", "08a")],
)  # fmt: skip
def test_scalars_that_all_parsers_read_alike_are_read_like_that(written, value, stack):
    config = stack(f"config:\n  cluster: {written}\n")

    assert (config.config["inference-rollouts:cluster"], config.problems) == (value, [])


@pytest.mark.parametrize(
    "written",
    ["y", "N", "yes", "No", "ON", "off", "22:00", "1:30:00", "0o14", "014", "0b11", "0x1F", "1_000", "1e3", "1.5E-3",
     ".inf", "-.INF", ".nan", "2026-01-01", "2026-1-1T00:00:00Z", "9" * 16, "0.1234567890123456"],
)  # fmt: skip
def test_scalars_that_parsers_read_differently_are_problems_and_quotes_mend_them(written, stack):
    (problem,) = stack(f"config:\n  cluster: {written}\n").problems

    assert problem.message.startswith(f"{written} is read as text by some YAML parsers and as ")
    assert stack(f'config:\n  cluster: "{written}"\n').problems == []


@pytest.mark.parametrize(
    ("name", "stack"),
    [
        ("Pulumi.prod.yaml", "prod"),
        ("Pulumi.prod.yml", "prod"),
        ("mine.yaml", "mine"),
        ("Pulumi.eu.prod.yaml", "eu.prod"),
        ("x", "x"),
    ],
)
def test_a_stack_is_called_by_its_file_less_pulumi_and_the_suffix(name, stack):
    assert stack_name(Path("some/where") / name) == stack
