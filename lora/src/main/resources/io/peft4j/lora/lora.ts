  # s b a (out, in), of a (rank, in) and b (out, rank)
  def delta(self, a: Tensor, b: Tensor, scaling: Tensor) -> Tensor:
    return torch.mul(torch.mm(b, a), float(scaling))

  # s (x a^T) b^T (…, out), of x (…, in)
  def update(self, x: Tensor, a: Tensor, b: Tensor, scaling: Tensor) -> Tensor:
    return torch.mul(torch.linear(torch.linear(x, a), b), float(scaling))
