"""What this machine can do for probes: devices, precision, compiler, back ends, disk, speed."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from bayescmr.errors import ProbeError
from bayescmr.machine import cores, processor
from bayescmr.probes.peak import matmul_peak
from bayescmr.probes.speed import PROBE_TOKENS, Speed, training_speeds

# Below, a checkpoint of a middling model with its optimiser may not fit.
_LITTLE_DISK = 2 * 10**9


@dataclass(frozen=True)
class Peak:
    """Measured rate of large matrix products.

    Attributes
    ----------
    precision : str
        ``float32`` or ``bfloat16``.
    threads : int or None
        Threads of the CPU; None on a GPU.
    flops : float
        Floating-point operations per second.
    """

    precision: str
    threads: int | None
    flops: float


@dataclass(frozen=True)
class Device:
    """A CPU or GPU that torch can use.

    Attributes
    ----------
    device : str
        torch's name: ``cpu``, ``cuda:0``.
    name : str
        The maker's name.
    memory_bytes : int or None
        All its memory; None where the system does not tell.
    peaks : tuple of Peak
        Measured.
    speeds : tuple of Speed
        Training of the named sizes, with torch's threads on a CPU.
    compiler : str or None
        What `torch.compile` would use; None where it cannot work.
    """

    device: str
    name: str
    memory_bytes: int | None
    peaks: tuple[Peak, ...]
    speeds: tuple[Speed, ...]
    compiler: str | None

    @property
    def bfloat16_gain(self) -> float:
        """Speed of bfloat16 products over that of float32, with all threads."""
        best = {
            precision: max(p.flops for p in self.peaks if p.precision == precision)
            for precision in ("float32", "bfloat16")
        }
        return best["bfloat16"] / best["float32"]


@dataclass(frozen=True)
class Examination:
    """Everything that was found.

    Attributes
    ----------
    python, torch : str
        Versions.
    cores, threads : int
        CPUs that this process may use, and threads that torch uses in it.
    devices : tuple of Device
        The CPU first.
    backends : tuple of str
        Of torch.distributed: ``gloo`` joins CPUs, ``nccl`` GPUs.
    transformers : bool
        Whether Hugging Face checkpoints can be read.
    folder : str
        Where disk space was looked at.
    disk_free_bytes : int
        Free there.
    """

    python: str
    torch: str
    cores: int
    threads: int
    devices: tuple[Device, ...]
    backends: tuple[str, ...]
    transformers: bool
    folder: str
    disk_free_bytes: int

    @property
    def remarks(self) -> tuple[str, ...]:
        """What to know or to change, in sentences."""
        said = []
        cpu = self.devices[0]
        if len(self.devices) == 1:
            said.append("No GPU that torch can use: probes run on the CPU.")
            if self.threads > 1:
                said.append(
                    f"Small models gain little from threads: OMP_NUM_THREADS=1 and {self.cores}"
                    " probes at a time train more in all."
                )
        if cpu.compiler is None:
            said.append("No C++ compiler: torch.compile does not work on the CPU.")
        if not self.backends:
            said.append("No back end of torch.distributed: one process trains alone.")
        if self.disk_free_bytes < _LITTLE_DISK:
            said.append(
                f"Only {self.disk_free_bytes / 1e9:.1f} GB are free in {self.folder}: checkpoints"
                " may not fit."
            )
        if not self.transformers:
            said.append("Hugging Face checkpoints need `pip install 'bayescmr[huggingface]'`.")
        return tuple(said)

    def to_dict(self) -> dict[str, Any]:
        """Plain data: the stable format of ``bayescmr probe doctor --json``."""
        plain = asdict(self)
        for device, found in zip(plain["devices"], self.devices, strict=True):
            device["bfloat16_gain"] = found.bfloat16_gain
        return {**plain, "probe_tokens": PROBE_TOKENS, "remarks": list(self.remarks)}


def examine(folder: str | Path = ".", seconds: float = 8.0) -> Examination:
    """Look at the machine and measure it; takes little more than ``seconds`` for each device.

    Parameters
    ----------
    folder : str or Path
        Where probes would be written.
    seconds : float
        For the speeds of one device.

    Raises
    ------
    ProbeError
        If there is no such folder.
    """
    if not Path(folder).is_dir():
        raise ProbeError(f"{folder}: no such folder")
    devices = [torch.device("cpu")]
    if torch.cuda.is_available():
        devices += [torch.device("cuda", i) for i in range(torch.cuda.device_count())]
    return Examination(
        python=platform.python_version(),
        torch=torch.__version__,
        cores=cores(),
        threads=torch.get_num_threads(),
        devices=tuple(_examined(device, seconds) for device in devices),
        backends=_backends(),
        transformers=importlib.util.find_spec("transformers") is not None,
        folder=str(folder),
        disk_free_bytes=shutil.disk_usage(folder).free,
    )


def _examined(device: torch.device, seconds: float) -> Device:
    name, memory = processor(), _memory()
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        name, memory = properties.name, properties.total_memory
    return Device(
        device=str(device),
        name=name,
        memory_bytes=memory,
        peaks=_peaks(device),
        speeds=training_speeds(device, memory, seconds),
        compiler=_compiler(device),
    )


def _peaks(device: torch.device) -> tuple[Peak, ...]:
    types = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    if device.type == "cuda":
        return tuple(Peak(name, None, matmul_peak(device, dtype)) for name, dtype in types.items())
    before = torch.get_num_threads()
    found = []
    try:
        for threads in sorted({1, before, cores()}):
            torch.set_num_threads(threads)
            found += [
                Peak(name, threads, matmul_peak(device, dtype)) for name, dtype in types.items()
            ]
    finally:
        torch.set_num_threads(before)
    return tuple(found)


def _compiler(device: torch.device) -> str | None:
    if device.type == "cuda":
        return "triton" if importlib.util.find_spec("triton") is not None else None
    # What torch's inductor looks for: the environment first, then the usual names.
    names = [os.environ.get("CXX"), "g++", "clang++", "c++"]
    return next((name for name in names if name and shutil.which(name)), None)


def _backends() -> tuple[str, ...]:
    if not dist.is_available():
        return ()
    found = {"gloo": dist.is_gloo_available(), "nccl": dist.is_nccl_available()}
    return tuple(name for name, there in found.items() if there)


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):  # a system that does not know these names
        return None
