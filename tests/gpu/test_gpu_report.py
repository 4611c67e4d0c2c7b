"""`python dev.py gpu` and the programs that it runs, on the stand-in."""

import subprocess
import sys
from importlib import util
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "asv_bench"


def load(file, monkeypatch):
    """A program of the repository as a module."""
    monkeypatch.syspath_prepend(str(file.parent))
    spec = util.spec_from_file_location(file.stem, file)
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def dev(monkeypatch, tmp_path):
    """`dev.py`, which writes its report into a folder of this test."""
    dev = load(ROOT / "dev.py", monkeypatch)
    report = dev.Report
    monkeypatch.setattr(dev, "Report", lambda file: report(tmp_path / file.name))
    return dev


def environment(*, lacks=()):
    """This Python; what is lacking cannot be installed."""

    def need(*extras):
        if set(extras) & set(lacks):
            raise SystemExit("== pip could not install what is needed")
        needed.append(extras)

    needed = []
    return SimpleNamespace(python=sys.executable, need=need, needed=needed, pins=[])


def test_report(dev, tmp_path):
    """Versions, tests, benchmarks and profile, one below the other."""
    few = ["-p", "no:cacheprovider", "--ignore-glob=*_gpu_[!t]*", "-k", "no_copies and product"]
    dev.gpu(environment(), ["--stand-in", *few])
    text = (tmp_path / "gpu-report.md").read_text(encoding="utf-8")
    versions, tests, benchmarks, profile = text.split("\n## ")[1:]
    assert "scipy 1" in versions
    assert "GPU tests:" in tests and "1 passed" in tests
    assert "THESE TIMES MEAN NOTHING" in benchmarks and "failed" not in benchmarks.lower()
    table = next(t for t in benchmarks.split("\n\n") if t.startswith("| operation | entries"))
    assert table.count("\n") == 13 and "\n| A @ x, float32 |" in table
    assert benchmarks.count("not judged") == 8
    assert "| copies to the host | 0 |" in profile and "| copies to the device | 0 |" in profile


def test_what_fails_is_in_the_report(dev, tmp_path):
    report = dev.Report(Path("report.md"))
    program = "import sys; print('before'); sys.exit('why it failed')"
    assert report.add("Fails", True, [sys.executable, "-c", program]) == 1
    assert report.add("Goes on", False, [sys.executable, "-c", "print('after')"]) == 0
    fails, goes_on = (tmp_path / "report.md").read_text(encoding="utf-8").split("\n## ")[1:]
    assert "**Failed, with status 1.**" in fails and "before" in fails and "why it failed" in fails
    assert goes_on == "Goes on\n\nafter\n"


def test_the_status_is_that_of_what_failed(dev, monkeypatch):
    statuses = iter([0, 5, 0, 0])
    report = SimpleNamespace(file="report", add=lambda *args: next(statuses))
    monkeypatch.setattr(dev, "Report", lambda file: report)
    with pytest.raises(SystemExit) as stopped:
        dev.gpu(environment(), ["--stand-in"])
    assert stopped.value.code == 5 and not list(statuses)


def test_cudss_is_left_out_where_it_cannot_be_installed(dev, monkeypatch):
    monkeypatch.setattr(dev, "Report", lambda file: SimpleNamespace(file=file, add=lambda *a: 0))
    for lacks, extras in (((), ("test", "gpu", "gpu-direct")), (("gpu-direct",), ("test", "gpu"))):
        env = environment(lacks=lacks)
        dev.gpu(env, [])
        assert env.needed == [extras] and env.pins == ["cupy-cuda12x[ctk]>=14.2"]


def test_without_a_gpu_the_benchmarks_stop(tmp_path):
    """They do not take the stand-in unasked."""
    program = [sys.executable, "-c", "import sys; sys.modules['cupy'] = None; sys.argv[1:] = []; "
               "import runpy; runpy.run_path('gpu.py', run_name='__main__')"]  # fmt: skip
    done = subprocess.run(program, cwd=BENCHMARKS, capture_output=True, text=True, check=False)
    assert done.returncode and "cupy" in done.stderr and "|" not in done.stdout


def test_classes_for_asv_are_left_out_without_a_gpu(monkeypatch):
    """asv leaves a benchmark out whose `setup` raises NotImplementedError."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from benchmarks import gpu

    monkeypatch.setattr(gpu, "device", lambda: None)
    for cls in (gpu.Device, gpu.CuPy):
        with pytest.raises(NotImplementedError, match="no GPU"):
            cls().setup(cls.params[0])


def test_what_cuda_says_of_a_graph_is_counted_by_name(monkeypatch):
    """As `cudaGraphDebugDotPrint` writes it, with and without details."""
    profile = load(BENCHMARKS / "gpu_profile.py", monkeypatch)
    dot = """digraph dot {
subgraph cluster_1 {
label="graph_1" graph[style="dashed"];
"graph_1_node_0"[style="bold" shape="octagon" label="0
_Z6gatherIdiEvPT_PKS0_
"];

"graph_1_node_1"[style="solid" shape="rectangle" label="1
MEMCPY
(DtoH,8)
"];
"graph_1_node_2"[style="bold" shape="octagon" label="2
_Z6gatherIdiEvPT_PKS0_
"];
"graph_1_node_0" -> "graph_1_node_1";
}
}"""
    assert profile.nodes(dot) == {"_Z6gatherIdiEvPT_PKS0_": 2, "MEMCPY (DtoH,8)": 1}
