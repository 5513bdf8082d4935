import os
import subprocess
import sys
from pathlib import Path

import pytest

from framing.cli.main import COMMANDS, main

BOOK = "name: a\nvariables: [{id: v, kind: single_label, labels: [{id: x}, {id: y}]}]\n"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "framing", *arguments], capture_output=True, text=True, check=False
    )


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for name, help_text in COMMANDS.items():
        assert name in text
        assert help_text in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"usage: framing {command}" in capsys.readouterr().out


def test_options_are_named_whole_and_errors_show_the_commands_usage(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["data", "audit", "x.csv", "--column", "text=body"])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("usage: framing data audit ")
    assert error.endswith("data audit: error: unrecognized arguments: --column text=body\n")


def test_errors_exit_with_2_and_no_traceback() -> None:
    done = run("codebook", "check", "none.yaml")
    assert done.returncode == 2
    assert done.stderr == "framing codebook: none.yaml: no such codebook file\n"
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["train", "x.yaml"], "; the same command continues the work"),
        (["curve", "--model", "x", "--data", "y"], "; the same command continues the work"),
        (["predict", "x", "--model", "y", "--out", "z"], "; the same command continues the work"),
        (["predict", "x", "--model", "y"], ""),
        (["codebook", "check", "x"], ""),
    ],
)
def test_what_is_said_of_an_interrupted_command(
    arguments: list[str],
    advice: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"framing.cli.{arguments[0]}.run", interrupt)
    assert main(arguments) == 130
    assert capsys.readouterr().err == f"framing: interrupted{advice}\n"


def test_unknown_command() -> None:
    done = run("trian")
    assert done.returncode == 2
    assert "invalid choice: 'trian'" in done.stderr


def test_codebook_check_and_show(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "book.yaml"
    path.write_text(BOOK)
    assert main(["codebook", "check", str(path)]) == 0
    assert "no mistakes; a version 1: v (2 labels)" in capsys.readouterr().out
    path.write_text(BOOK.replace("{id: x}", "{id: x, definition: '[b] is kept', keywords: [k*]}"))
    assert main(["codebook", "show", str(path)]) == 0
    text = capsys.readouterr().out
    assert "[b] is kept" in text
    assert "keywords: k*" in text


def test_a_reader_that_stops_early_is_no_error(tmp_path) -> None:
    path = tmp_path / "book.yaml"
    path.write_text(BOOK)
    done = subprocess.run(
        f"{sys.executable} -m framing codebook show {path} | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "a\n"
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, framing\n"
        "from framing.cli.main import build_parser\n"
        "build_parser(None).format_help()\n"
        "heavy = {'torch', 'transformers', 'datasets', 'evaluate', 'sklearn', 'pandas', 'numpy',\n"
        "         'yaml', 'rich', 'pyarrow', 'onnxruntime', 'tokenizers', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error_without_traceback(tmp_path: Path) -> None:
    path = tmp_path / "book.yaml"
    path.write_text(BOOK)
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "framing", "codebook", "show", str(path)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    message = "framing codebook: an output: cannot write: No space left on device\n"
    assert done.stderr == message


def test_other_writing_to_a_full_disk(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_: object) -> int:
        raise OSError(28, "No space left on device", "checkpoint")

    monkeypatch.setattr("framing.cli.train.run", full)
    assert main(["train", "x.yaml"]) == 2
    message = "framing train: checkpoint: cannot write: No space left on device\n"
    assert capsys.readouterr().err == message

    def broken(_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("framing.cli.train.run", broken)
    with pytest.raises(OSError, match="Input/output error"):
        main(["train", "x.yaml"])


def test_messages_that_nobody_reads_do_not_stop_work(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "import framing.cli.report as command\n"
        "from framing.cli.main import main\n"
        "def run(args):\n"
        "    for k in range(3):\n"
        "        print('a message', file=sys.stderr, flush=True)\n"
        "        print('row', k, flush=True)\n"
        "    return 0\n"
        "command.run = run\n"
        "sys.exit(main(['report', 'somewhere']))\n"
    )
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=write, check=False
    )
    os.close(write)
    assert done.stdout.split(b"\n") == [b"row 0", b"row 1", b"row 2", b""]
    assert done.returncode == 0
