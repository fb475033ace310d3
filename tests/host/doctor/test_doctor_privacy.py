"""Who and where the user is does not come into the file."""

from __future__ import annotations

import getpass
import json
import socket
import sys
from pathlib import Path

from doctor_world import CHECKOUT, PLANTED, entry, report

from speedmetal.doctor import privacy


def test_names_and_places_are_replaced():
    redaction = privacy.redaction_of(
        [
            (Path("/data/anna"), "~"),
            (Path("/data/anna/venv"), "<python>"),
            (Path("/"), "never"),
        ],
        [("anna", "<user>"), ("Anna Smith", "<user>"), ("annas-mac", "<host>"), ("root", "never")],
    )
    text = (
        "/data/anna/venv/lib /data/anna/x /data/annabel /Users/ben/y '/home/c d/z' /Users/Shared/q"
        " (ANNA) /tmp/pytest-of-anna/ anna_2 hannah annas-mac.local by Anna Smith, root /"
        " /var/folders/zz/abc123/T/tmp1 /private/var/folders/zz/abc123/T/x"
    )
    assert redaction.of_text(text) == (
        "<python>/lib ~/x /data/annabel ~/y '~ d/z' /Users/Shared/q"
        " (<user>) /tmp/pytest-of-<user>/ <user>_2 hannah <host>.local by <user>, root /"
        " <temporary>/tmp1 <temporary>/x"
    )
    assert redaction.of_value({"anna": ["anna", 1, None, {"x": ("anna",)}]}) == {
        "anna": ["<user>", 1, None, {"x": ["<user>"]}]
    }


def test_the_file_does_not_say_who_and_where(plant, doctor, tmp_path, monkeypatch):
    home = tmp_path / "homes" / "zoe.kravitz"
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USER", "zoe.kravitz")
    host = socket.gethostname()
    plant(
        {
            "talks": f"""
    from speedmetal import cli
    print("home", Path.home(), "of zoe.kravitz on", {host!r})
    print("python", sys.executable, "package", cli.__file__)
    facts = {{"path": str(Path.home() / "x"), "list": [{host!r}]}}
    return Finding(facts, problems=(f"in {{Path.home()}}",))"""
        }
    )
    outcome = doctor("--out", "x.json")
    assert outcome.status == 1
    text = (tmp_path / "here" / "x.json").read_text()
    private = [str(home), "zoe", str(Path.cwd()), sys.prefix, str(CHECKOUT)]
    private += [host] if host.lower() not in privacy.COMMON_NAMES else []
    private += [getpass.getuser()] if getpass.getuser() not in privacy.COMMON_NAMES else []
    assert [word for word in private if word in text] == []
    assert entry(json.loads(text), "talks")["note"] == "in ~"


def test_what_is_simulated_is_called_so(plant, doctor, tmp_path):
    simulated = "{'metal-sim': {'kind': 'metal', 'simulated': True}}"
    plant({"devices": f"return Finding({simulated})", "fine": PLANTED["fine"]})
    assert "ok      fine on metal-sim (simulated)         all right" in doctor().err
    assert entry(report(tmp_path / "here"), "fine")["simulated"] is True
