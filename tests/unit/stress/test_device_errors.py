"""Errors after which a device is not to be trusted, in the words in which they were met."""

from __future__ import annotations

import json

import pytest

from pytest_repro.stress.device_errors import DEVICE_ERRORS, device_error_in
from pytest_repro.stress.resets import ResetPlan
from tests.unit.logs.test_logs_reader import sample_logs

MET = [
    ("tt-metal timeout", "RuntimeError: Timeout waiting for Ethernet core service remote IO request."),
    (
        "tt-metal timeout",
        (
            "RuntimeError: TT_THROW @ /w/tt_metal/impl/dispatch/memory_manager.cpp:765: tt::exception\n"
            "info:\nTIMEOUT: device timeout, potential hang detected, the device is unrecoverable"
        ),
    ),
    (
        "tt-metal timeout",
        "TT_THROW: Device 0: Timeout (240000 ms) waiting for physical cores to finish: 14-3.",
    ),
    (
        "tt-metal mailbox",
        "TT_FATAL: Read unexpected run_mailbox value from core (x=25,y=16) (assert.hpp:104)",
    ),
    ("tt-metal mailbox", "Read unexpected run_mailbox value: 0x40 (expected 0x80 or 0x0)"),
    ("tt-metal hang", "RuntimeError: Read 0xffffffff from PCIE: you should reset the board."),
    ("tt-metal hang", "RuntimeError: Read 0xffffffff from ARC scratch[6]: you should reset the board."),
    ("tt-metal hang", "RuntimeError: Read 0xffffffff over PCIe ID 0: the board should be reset."),
    ("tt-metal hang", "RuntimeError: NOC1 appears hung: you should reset the board."),
    (
        "tt-metal error",
        (
            "RuntimeError: TT_FATAL @ /home/u/tt-metal/tt_metal/distributed/mesh_trace.cpp:182: "
            "mesh_cq.device()->get_trace_buffers_size() <= trace_region_size"
        ),
    ),
    (
        "tt-metal error",
        "TT_FATAL: Creating trace buffers of size 60899328B on MeshDevice 0, but (assert.hpp:104)",
    ),
    (
        "tt-metal error",
        "RuntimeError: TT_ASSERT @ /home/u/tt-metal/ttnn/cpp/ttnn/run_operation_inl.hpp:218: (a",
    ),
    ("tt-metal core", "  what():  No core coordinate found at location: (0, 0, ETH, LOGICAL)"),
    ("CUDA error", "CUDA error: an illegal memory access was encountered"),
    (
        "CUDA error",
        "torch.AcceleratorError: CUDA error: device-side assert triggered\nSearch for `cudaErrorAssert'",
    ),
    ("CUDA error", "RuntimeError: CUDA driver error: unknown error"),
    ("CUDA error", "cupy_backends.cuda.api.runtime.CUDARuntimeError: cudaErrorIllegalAddress: an illegal"),
    ("CUDA error", "INTERNAL: CUDA_ERROR_LAUNCH_FAILED: unspecified launch failure"),
    (
        "CUDA out of memory",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 4.39 GiB. GPU 0 has a total capacity",
    ),
    ("CUDA library error", "RuntimeError: cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    ("CUDA library error", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    (
        "NCCL error",
        "torch.distributed.DistBackendError: NCCL error in: ../ProcessGroupNCCL.cpp:1331, internal",
    ),
]

ORDINARY = [
    "AssertionError: assert 9 == 10",
    "AssertionError: Some performance metrics are outside of expected range, see above for details.",
    "AttributeError: module 'torch._C' has no attribute '_cuda_getAllocatorBackend'",
    "RuntimeError: Process 0 terminated or timed out after 310.0115718841553 seconds",
    "RuntimeError: Engine core initialization failed. Failed core proc(s): {'EngineCore': 1}",
    "AssertionError: Tensors are not close: cuda error of 0.3 is above the limit",
    "AssertionError: assert 'TT_FATAL' in log",
    "AssertionError: expected status CUBLAS_STATUS_SUCCESS",
    "RuntimeError: No CUDA GPUs are available",
    "ValueError: cudaErrors is not a list",
    "TimeoutError: RPC call to sample_tokens timed out.",
    "AssertionError: read 0xffffffff from the file",
]


@pytest.mark.parametrize(("name", "text"), MET)
def test_a_device_error_is_recognised_by_its_words(name: str, text: str) -> None:
    """From logs of CI, issues of the libraries, and their sources."""
    found = device_error_in(text)
    assert found == name or (found == "CUDA error" and "CUDA error: CUBLAS" in text)


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_failure_is_no_device_error(text: str) -> None:
    """A reset takes a while: not for a number that is wrong."""
    assert device_error_in(text) is None


def test_each_pattern_was_met() -> None:
    """A pattern that matches no real text is a guess."""
    assert all(any(pattern.search(text) for _, text in MET) for _, pattern in DEVICE_ERRORS)


@pytest.mark.parametrize(
    ("raised", "text", "reason"),
    [
        ("ValueError: x", "source of the test", None),
        ("ValueError: x", "E   lost the card", "error: lost .* card"),
        ("OSError: lost my card", "", "error: lost .* card"),
        ("RuntimeError: CUDA error: unknown error", "", "error: CUDA error"),
        ("ValueError: x", 'match="CUDA error: "', None),
        ("Failed: Timeout (>1.0s) from pytest-timeout.", "", "hang"),
        ("Failed: Timeout >1.0s", "", "hang"),
        ("Failed: Timeout of the other side", "", None),
    ],
)
def test_the_reason_for_a_reset_is_in_exception_or_traceback(
    raised: str, text: str, reason: str | None
) -> None:
    """What is known is looked for in exceptions alone: source may speak of the error that it expects."""
    assert ResetPlan(pattern="lost .* card").reason_in(raised, text) == reason


@pytest.mark.skipif(
    not (sample_logs() / "index.json").is_file(), reason="the sample logs are not on this machine"
)
def test_device_errors_of_the_sample_logs_are_found_and_no_others() -> None:
    """Whole logs of CI: lines that tell of a device, and all failures that a person has read out of them."""
    expected = {"029", "044", "046", "073", "075", "077", "092"}
    found = set()
    for row in json.loads((sample_logs() / "index.json").read_text(encoding="utf-8")):
        data = (sample_logs() / row["file"]).read_bytes()
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "replace")
        if any(device_error_in(line) for line in text.splitlines()):
            found.add(row["id"])
        for test in row["tests"] or []:
            if row["id"] not in expected:
                assert device_error_in(f"{test.get('exception')}: {test.get('message')}") is None
    assert found == expected
