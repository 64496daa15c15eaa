  # l holds a factor per output or per input, in whatever shape. l - 1 keeps what a 16-bit l near 1 rounds away.

  # l * w per row of w (out, in)
  def scaled_outputs(self, w: Tensor, l: Tensor) -> Tensor:
    return torch.mul(w, torch.reshape(l, [-1, 1]))

  # l * w per input of w (out, in); of a convolution an input is a channel, and has a column for each tap of the kernel
  def scaled_inputs(self, w: Tensor, l: Tensor) -> Tensor:
    channels = torch.reshape(w, [torch.size(w, 0), torch.numel(l), -1])
    return torch.flatten(torch.mul(channels, torch.reshape(l, [1, -1, 1])), 1)

  # x (..., in), base = x w^T (..., out)
  def output_update(self, base: Tensor, l: Tensor) -> Tensor:
    return torch.mul(base, torch.sub(torch.flatten(l), 1.))

  def input_update(self, x: Tensor, w: Tensor, l: Tensor) -> Tensor:
    change = torch.mul(x, torch.sub(torch.flatten(l), 1.))
    return torch.linear(torch.to(change, ops.prim.dtype(x)), w)
