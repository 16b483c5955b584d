"""Batch normalization over the batches of all workers, so that they train as one worker would.

PyTorch's ``SyncBatchNorm`` runs on GPUs alone; this one runs on any device, and is PyTorch's own
batch normalization if there is one worker. Running statistics are the same on all workers. A frozen
layer, in evaluation mode, exchanges nothing.

References:
    Ioffe and Szegedy, arXiv:1502.03167, section 3 (the gradient).
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from onebox.learning.parallel.process_group import is_grouped, sum_over_workers

_NOT_CHANNELS = 1  # the dimension that is kept


def synchronize(module: nn.Module) -> None:
    """Replace every batch normalization below a module by one over all workers, in place.

    Parameters and buffers are kept, with their names.
    """
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm) and not isinstance(child, SyncedBatchNorm):
            module.add_module(name, SyncedBatchNorm(child))
        else:
            synchronize(child)


class SyncedBatchNorm(_BatchNorm):
    """Batch normalization over all workers, with the parameters and buffers of another one.

    What timm's layers do after normalizing, dropout and activation, is done here as well.
    """

    def __init__(self, other: _BatchNorm) -> None:
        super().__init__(
            other.num_features,
            other.eps,
            other.momentum,
            other.affine,
            other.track_running_stats,
        )
        self.weight, self.bias = other.weight, other.bias
        self.running_mean, self.running_var = other.running_mean, other.running_var
        self.num_batches_tracked = other.num_batches_tracked
        self.drop = getattr(other, "drop", None)
        self.act = getattr(other, "act", None)
        self.training = other.training

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalize (n, channels, ...) by the statistics of all workers, or by the running ones."""
        if self.training and is_grouped():
            outputs = self._normalized(inputs)
        else:
            outputs = super().forward(inputs)
        for after in (self.drop, self.act):
            outputs = outputs if after is None else after(outputs)
        return outputs

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 - PyTorch's name
        """Take what has channels."""

    def _normalized(self, inputs: Tensor) -> Tensor:
        mean, var, count = _statistics(inputs)
        if self.track_running_stats:
            self._track(mean, var * count / (count - 1))
        normalized: Tensor = _Normalize.apply(
            inputs, (mean, var, count), self.weight, self.bias, self.eps
        )
        return normalized

    def _track(self, mean: Tensor, var: Tensor) -> None:
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        momentum = self.momentum
        if momentum is None and self.num_batches_tracked is not None:
            momentum = 1 / float(self.num_batches_tracked)
        for running, found in ((self.running_mean, mean), (self.running_var, var)):
            if running is not None and momentum is not None:
                running.lerp_(found.to(running.dtype), momentum)


def _statistics(inputs: Tensor) -> tuple[Tensor, Tensor, int]:
    """Mean and variance of each channel over all workers, and the number of values."""
    dims = _all_but_channels(inputs)
    with torch.no_grad():
        var, mean = torch.var_mean(inputs.float(), dims, correction=0)
        ones = torch.ones_like(mean[:1])
        sums = sum_over_workers(torch.cat([mean, mean.square(), var, ones]))
        workers = float(sums[-1])
        mean, squares, var = (sums[:-1] / workers).view(3, -1)
        # The mean variance within workers, and the variance of the workers' means.
        var = var + (squares - mean.square()).clamp(min=0)
    values = inputs.numel() // inputs.shape[_NOT_CHANNELS]
    return mean, var, round(values * workers)


def _all_but_channels(inputs: Tensor) -> list[int]:
    return [each for each in range(inputs.ndim) if each != _NOT_CHANNELS]


class _Normalize(torch.autograd.Function):
    """Normalize by given statistics, whose own dependence on the inputs the gradient includes."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        inputs: Tensor,
        statistics: tuple[Tensor, Tensor, int],
        weight: Tensor | None,
        bias: Tensor | None,
        eps: float,
    ) -> Tensor:
        mean, var, count = statistics
        ctx.save_for_backward(inputs, mean, (var + eps).rsqrt(), weight)
        ctx.count = count
        return functional.batch_norm(inputs, mean, var, weight, bias, training=False, eps=eps)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        inputs, mean, scale, weight = ctx.saved_tensors
        dims = _all_but_channels(inputs)
        shape = [1 if each in dims else -1 for each in range(inputs.ndim)]
        of_grad = grad.float()
        centred = inputs.float() - mean.view(shape)
        bias_grad = of_grad.sum(dims)
        weight_grad = (of_grad * centred).sum(dims) * scale
        whole_bias, whole_weight = sum_over_workers(torch.stack([bias_grad, weight_grad]))
        factor = scale if weight is None else scale * weight.float()
        slope = -factor * scale * whole_weight / ctx.count
        offset = -factor * whole_bias / ctx.count
        result = torch.addcmul(offset.view(shape), of_grad, factor.view(shape))
        result = result.addcmul_(centred, slope.view(shape)).to(inputs.dtype)
        if weight is None:
            return result, None, None, None, None
        return result, None, weight_grad.to(weight.dtype), bias_grad.to(weight.dtype), None
