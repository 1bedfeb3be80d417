"""A real clamd with signatures of our own, which can learn."""
import hashlib
import io
import pathlib
import socket
import subprocess
import tarfile

from tests import harness

TIME = "28 Nov 2026 10-00 +0000"
SECONDS = 1795860000


def pack(version, signatures):
    """daily.cud, the one kind of database that has a version and no signature of ClamAV's makers: a header of 512 bytes (clamav:
    libclamav/cvd.c, cl_cvdparse) and a tar, in which daily.info names the others."""
    count = signatures.count(b"\n")
    head = f"ClamAV-VDB:{TIME}:{version}:{count}:60:X:X:locara:{SECONDS}"
    info = f"{head}\ndaily.ndb:{len(signatures)}:{hashlib.sha256(signatures).hexdigest()}\n".encode()
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w", format=tarfile.USTAR_FORMAT) as packed:
        for name, content in (("daily.info", info), ("daily.ndb", signatures)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return head.ljust(512).encode() + body.getvalue()


class Clamd:
    def __init__(self, folder, pattern, version=101, alert_exceeds_max="yes"):
        self.folder = pathlib.Path(folder)
        self.socket = self.folder / "clamd.sock"
        (self.folder / "db").mkdir(parents=True)
        self.write(pattern, version)
        self.configuration = self.folder / "clamd.conf"
        self.configuration.write_text(f"LocalSocket {self.socket}\nDatabaseDirectory {self.folder / 'db'}\nSelfCheck 0\n"
                                      f"TemporaryDirectory {self.folder}\nForeground yes\n"
                                      f"AlertExceedsMax {alert_exceeds_max}\n")
        self.start()

    def start(self):
        self.process = subprocess.Popen(["/usr/sbin/clamd", f"--config-file={self.configuration}"], stdout=subprocess.DEVNULL)
        harness.wait_for(lambda: f"/{self.version}/" in self.ask("VERSION"), "clamd", seconds=60)

    def write(self, pattern, version):
        self.version = version
        (self.folder / "db/daily.cud").write_bytes(pack(version, b"Locara.Test.New:0:*:" + pattern.hex().encode() + b"\n"))

    def ask(self, command):
        """The answer; nothing while there is none."""
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(10)
            try:
                door.connect(str(self.socket))
                door.sendall(f"z{command}\0".encode())
                return door.recv(4096).decode()
            except OSError:
                return ""

    def learn(self, pattern):
        """Signatures of the next version, which know the pattern and no other."""
        self.write(pattern, self.version + 1)
        self.ask("RELOAD")
        harness.wait_for(lambda: f"/{self.version}/" in self.ask("VERSION"), "the new signatures", seconds=60)

    def stop(self):
        self.process.kill()
        self.process.wait()
