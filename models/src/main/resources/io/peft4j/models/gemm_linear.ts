  # x w^T and x w, of x (T, n) and w (out, in), by the library that torch.linear uses.
  def nt(self, x: Tensor, w: Tensor) -> Tensor:
    return torch.linear(x, w)
  def nn(self, x: Tensor, w: Tensor) -> Tensor:
    return torch.mm(x, w)
