  # s b a (out, in), of a (rank, in) and b (out, rank), or of kernels with more axes
  def delta(self, a: Tensor, b: Tensor, scaling: Tensor) -> Tensor:
    return torch.mul(torch.mm(torch.flatten(b, 1), torch.flatten(a, 1)), float(scaling))

  # s (x a^T) b^T (…, out), of x (…, in)
  def update(self, x: Tensor, a: Tensor, b: Tensor, scaling: Tensor) -> Tensor:
    return torch.mul(torch.linear(torch.linear(x, a), b), float(scaling))

  # rows of s a^T b^T (…, out), of ids (…)
  def rows(self, ids: Tensor, a: Tensor, b: Tensor, scaling: Tensor) -> Tensor:
    return torch.mul(torch.linear(torch.embedding(torch.t(a), ids), b), float(scaling))
