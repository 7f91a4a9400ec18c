"""`make test-sdk`: the official TypeScript SDK, unchanged, against a hub started for it."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.process import serving

HERE = Path(__file__).resolve().parent
API_KEY = "sdk-key"


def main() -> int:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        sys.exit("The SDK's tests need Node 18 or newer, with npm: on Debian and Ubuntu, apt install nodejs npm.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "sdk"
        shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__", "node_modules"))
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=folder, check=True)
        with serving(Path(name) / "data", API_KEY=API_KEY, LOG_LEVEL="error") as hub:
            environment = {**os.environ, "HUB_URL": hub.url, "HUB_API_KEY": API_KEY}
            return subprocess.run([node, "--test"], cwd=folder, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
