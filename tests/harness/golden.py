"""Golden files: texts that leave our programs, kept in the repository; the twin of locara/test_support/golden.hpp."""
import difflib

HOW = "`./dev test --accept` takes it; review the change"


class GoldenFolder:
    def __init__(self, folder, accept):
        self.folder = folder
        self.accept = accept
        self.used = set()

    def compare(self, name, found):
        """None if file `name` holds exactly `found`; else the difference in words."""
        self.used.add(name)
        path = self.folder / name
        golden = path.read_text() if path.exists() else None
        if golden == found:
            return None
        if self.accept:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(found)
            return None
        if golden is None:
            return f"there is no golden file {path}; found:\n{found}\n{HOW}"
        lines = difflib.unified_diff(golden.splitlines(), found.splitlines(), "golden", "found", n=1, lineterm="")
        return f"golden file {path} differs:\n" + "\n".join(lines) + f"\n{HOW}"

    def take_unused(self):
        """The files that no comparison named; when accepting they are removed, and the answer is empty."""
        files = [p for p in self.folder.rglob("*") if p.is_file()]
        unused = [p for p in files if str(p.relative_to(self.folder)) not in self.used]
        if self.accept:
            for path in unused:
                path.unlink()
            return []
        return [str(p) for p in unused]
