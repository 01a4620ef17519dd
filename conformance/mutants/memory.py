"""Mutants that read an array wrongly, or otherwise, where it lies awkwardly in memory."""

from __future__ import annotations

from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.mutants.base import Sound, mutant, other_last_bits
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Array, Weights


@mutant("2.11")
class StridesIgnored(Sound):
    """An input that is not contiguous is read as if it were."""

    def read(self, inputs: Inputs) -> Inputs:
        if not inputs.flags.c_contiguous and inputs.base is not None and inputs.base.size >= inputs.size:
            return super().read(inputs.base.reshape(-1)[: inputs.size].reshape(inputs.shape))
        return super().read(inputs)


@mutant("2.11")
class OtherBitsForStrides(Sound):
    """An input that is not contiguous gives other last bits."""

    strided = False

    def read(self, inputs: Inputs) -> Inputs:
        self.strided = not inputs.flags.c_contiguous
        return super().read(inputs)

    def returned(self, outputs: Array, final: State) -> Output:
        output = super().returned(outputs, final)
        return other_last_bits(output) if self.strided else output


@mutant("2.11")
class ReadOnlyInputsRefused(Sound):
    """An input that may only be read raises an exception."""

    def read(self, inputs: Inputs) -> Inputs:
        if not inputs.flags.writeable:
            raise ValueError("buffer source array is read-only")
        return super().read(inputs)


@mutant("2.11")
class OtherBitsForOffsets(Sound):
    """An input that begins at no multiple of 64 bytes gives other last bits."""

    shifted = False

    def read(self, inputs: Inputs) -> Inputs:
        self.shifted = inputs.ctypes.data % 64 != 0 and inputs.flags.c_contiguous
        return super().read(inputs)

    def returned(self, outputs: Array, final: State) -> Output:
        output = super().returned(outputs, final)
        return other_last_bits(output) if self.shifted else output


@mutant("2.11")
class ByteOrderIgnored(Sound):
    """An input in the other byte order is read as if it were in the processor's own."""

    def read(self, inputs: Inputs) -> Inputs:
        return super().read(inputs.view(inputs.dtype.newbyteorder("=")))


@mutant("2.11")
class FortranKernelTransposed(Sound):
    """A square kernel that lies in Fortran order is read as if it lay in C order, which transposes it."""

    def load(self, weights: Weights) -> None:
        super().load(weights.map(self._in_order))

    def _in_order(self, array: Array) -> Array:
        is_square = array.ndim == 2 and array.shape[0] == array.shape[1]
        return array.T if is_square and not array.flags.c_contiguous else array
