"""A file system that loses its power: ext4 on an image file, of which a copy is what would be found then. What was not synced is
in memory alone and is lost, as the file system's journal has it. The image lies on XFS, which copies a file at one moment
(reflink). (What a disk's own cache loses although it was told to sync is not tried.)"""
import contextlib
import subprocess
import unittest


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout.strip()


class Disk:
    """A file system that can be copied as it would be found after a loss of power."""

    def __init__(self, folder):
        self.folder = folder
        self.cuts = folder / "cuts"
        self.mounts = contextlib.ExitStack()
        run("truncate", "-s", "6G", folder / "image")
        run("mkfs.xfs", "-q", "-m", "reflink=1", folder / "image")
        self.mount(folder / "image", self.cuts)
        run("truncate", "-s", "2G", self.cuts / "disk")
        run("mkfs.ext4", "-q", self.cuts / "disk")
        self.path = self.mount(self.cuts / "disk", folder / "disk")

    def mount(self, image, at):
        at.mkdir()
        run("mount", "-o", "loop", image, at)
        self.mounts.callback(run, "umount", at)
        return at

    @contextlib.contextmanager
    def cut(self):
        """The file system as it would be found now, at another place."""
        copy, found = self.cuts / "cut", self.folder / "found"
        run("cp", "--reflink=always", self.cuts / "disk", copy)
        found.mkdir(exist_ok=True)
        run("mount", "-o", "loop", copy, found)
        try:
            yield found
        finally:
            run("umount", found)
            copy.unlink()


def make_disk(test):
    """A disk for one test, which is skipped where there can be none."""
    try:
        disk = Disk(test.folder)
    except (OSError, RuntimeError) as error:
        raise unittest.SkipTest(f"needs mkfs.xfs, mkfs.ext4 and the right to mount (run as root): {error}") from error
    test.addCleanup(disk.mounts.close)
    return disk
