"""How is a container hurt for real? Its processes are stopped from the node, as a fault would.

`kubectl exec` can't do it: inside its container the first process ignores signals like STOP.
"""

import signal
import subprocess


def processes(node: str, pod_uid: str, program: str) -> list[int]:
    """Return the node's process ids that belong to a pod and whose command line names a program.

    A pod's cgroup carries its UID, with dashes on cgroupfs and underscores under systemd.
    """
    script = (
        "for p in /proc/[0-9]*; do "
        f"grep -qE '{pod_uid}|{pod_uid.replace('-', '_')}' $p/cgroup 2>/dev/null && "
        f"tr '\\0' ' ' <$p/cmdline 2>/dev/null | grep -q -- '{program}' && echo ${{p#/proc/}}; "
        "done; true"
    )
    found = subprocess.run(
        ["docker", "exec", node, "sh", "-c", script], capture_output=True, text=True, check=True
    )
    return [int(line) for line in found.stdout.split()]


def send(node: str, pids: list[int], what: signal.Signals) -> None:
    """Send a signal to processes of the node."""
    assert pids, "no process to send a signal to: the pod runs under another name"
    subprocess.run(
        ["docker", "exec", node, "kill", f"-{what.name.removeprefix('SIG')}", *map(str, pids)],
        capture_output=True,
        text=True,
        check=True,
    )
