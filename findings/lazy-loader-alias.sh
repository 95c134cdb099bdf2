#!/usr/bin/env bash
# lazy_loader.attach_stub reads past "as": a stub and its package offer different names.
#
# Versions: lazy-loader 0.6, mypy 1.18.2, Python 3.11.
# Expected: a package whose stub says `from .net import build as make_net` offers `make_net`, as type checkers and editors
#           read it; or attach_stub refuses an alias, as it refuses absolute imports.
# Seen:     the package offers `build` and not `make_net`. The type checker passes a program that fails with AttributeError.
# Output:   the package offers ['build']
#           program.py: mypy passes it, it fails with: No package attribute make_net
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check lazy-loader==0.6 mypy==1.18.2
cd "$folder"
mkdir package
cat > package/__init__.py <<'PYTHON'
import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
PYTHON
cat > package/__init__.pyi <<'PYTHON'
from .net import build as make_net

__all__ = ["make_net"]
PYTHON
echo 'def build() -> str: return "a net"' > package/net.py
printf 'import package\n\nprint(package.make_net())\n' > program.py
"$folder/venv/bin/mypy" --no-error-summary program.py
"$folder/venv/bin/python" - <<'PYTHON'
import package

print("the package offers", package.__all__)
assert package.__all__ == ["build"], "the behavior has changed"
assert package.build() == "a net"
try:
    package.make_net()
except AttributeError as error:
    print("program.py: mypy passes it, it fails with:", error)
else:
    raise SystemExit("the behavior has changed: make_net is there")
PYTHON
