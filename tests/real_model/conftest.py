"""A real model server, and Sheaf in front of it. See CONTRIBUTING.md for how to run these tests."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from protocols import PROTOCOLS  # noqa: E402
from real_model_server import MODEL, RealModelServer  # noqa: E402
from sheaf_server import SheafServer  # noqa: E402


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "timeout(seconds): how long a test may take")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.timeout(180))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    report = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, (RealModelServer, SheafServer)):
                report.sections.append((f"log of {name}", value.log(40)))
    return report


@pytest.fixture(scope="session")
def model_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealModelServer]:
    with RealModelServer(tmp_path_factory.mktemp("model_server")) as server:
        yield server


@pytest.fixture(scope="session")
def sheaf(model_server: RealModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SheafServer]:
    """Knows the one model by three names, and speaks another protocol to it for each."""
    binary = Path(os.environ.get("SHEAF_BUILD_DIR", ROOT / "build" / "dev")) / "sheaf"
    assert binary.exists(), f"{binary} was not built"
    models = [{"name": f"{MODEL}-{backend}", "backend": backend, "url": model_server.url, "model": MODEL}
              for backend in PROTOCOLS]
    server = SheafServer(binary, tmp_path_factory.mktemp("sheaf"), models=models).start()
    yield server
    assert server.stop() == 0, server.log()
