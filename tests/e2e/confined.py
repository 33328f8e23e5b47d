"""Runs a command as a unit of systemd runs it, as far as its user, its umask, its user namespace, its capabilities
and its system calls go; file systems and devices stay as they are. As root, where there is no systemd to do it:

    confined.py UNIT USER COMMAND...
    confined.py --in-chroot UNIT USER COMMAND...     without a user namespace, which Linux gives nobody in a chroot
"""

import ctypes
import errno
import os
import pwd
import subprocess
import sys

import seccomp

CLONE_NEWUSER = 0x10000000


def settings(unit):
    """The values of each setting, in their order."""
    found = {}
    with open(unit) as file:
        for line in file:
            name, is_setting, value = line.strip().partition("=")
            if is_setting and not name.startswith("#"):
                found.setdefault(name, []).append(value)
    return found


def calls(name):
    """The system calls of a set, or the one of that name."""
    if not name.startswith("@"):
        return {name}
    listed = subprocess.run(["systemd-analyze", "syscall-filter", name], stdout=subprocess.PIPE, check=True, text=True)
    members = (line.strip() for line in listed.stdout.splitlines()[1:])
    return {call for member in members if member and not member.startswith("#") for call in calls(member)}


def allowed(filters):
    """What the lines of SystemCallFilter= leave, of which the first allows."""
    left = calls("@default")
    for line in filters:
        named = {call for name in line.removeprefix("~").split() for call in calls(name)}
        left = left - named if line.startswith("~") else left | named
    return left


def enter_user_namespace(uid, gid):
    """As PrivateUsers= has it: root and the user are there, and nobody else is."""
    is_inside, tell = os.pipe()
    writer = os.fork()
    if writer == 0:
        os.read(is_inside, 1)
        for kind, number in (("uid", uid), ("gid", gid)):
            with open(f"/proc/{os.getppid()}/{kind}_map", "w") as file:
                file.write(f"0 0 1\n{number} {number} 1\n")
        os._exit(0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        sys.exit(f"unshare: {os.strerror(ctypes.get_errno())}")
    os.write(tell, b"x")
    if os.waitpid(writer, 0)[1] != 0:
        sys.exit("the user namespace has no users")
    os.close(is_inside)
    os.close(tell)


def main(*arguments):
    is_in_chroot = arguments[0] == "--in-chroot"
    unit, user, *command = arguments[1:] if is_in_chroot else arguments
    of_unit, account = settings(unit), pwd.getpwnam(user)
    names = allowed(of_unit["SystemCallFilter"])
    os.umask(int(of_unit["UMask"][-1], 8))
    if of_unit["PrivateUsers"][-1] == "yes" and not is_in_chroot:
        enter_user_namespace(account.pw_uid, account.pw_gid)
    os.setgroups([account.pw_gid])
    os.setresgid(*[account.pw_gid] * 3)
    # Root's capabilities end with it.
    os.setresuid(*[account.pw_uid] * 3)
    # Loading it sets NoNewPrivileges=, too.
    rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    for name in names:
        try:
            rules.add_rule(seccomp.ALLOW, name)
        except (RuntimeError, ValueError):
            # Of another architecture, or of a newer kernel than the library knows.
            pass
    rules.load()
    os.execv(command[0], command)


main(*sys.argv[1:])
