  # s b a (out, in), of a (rank, in) and b (out, rank), or of kernels with more axes
  def delta(self, a: Tensor, b: Tensor, scaling: Tensor) -> Tensor:
    return torch.mm(torch.mul(torch.flatten(b, 1), float(scaling)), torch.flatten(a, 1))

  # x a^T b^T (…, out), of x (…, in), in x's type
  def through(self, x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    type = ops.prim.dtype(x)
    return torch.linear(torch.linear(x, torch.to(a, type)), torch.to(b, type))

  # s (x a^T) b^T (…, out)
  def update(self, x: Tensor, a: Tensor, b: Tensor, scaling: Tensor) -> Tensor:
    return torch.mul((self).through(x, a, b), float(scaling))

  # rows of s a^T b^T (…, out), of ids (…)
  def rows(self, ids: Tensor, a: Tensor, b: Tensor, scaling: Tensor) -> Tensor:
    return torch.mul(torch.linear(torch.embedding(torch.t(a), ids), b), float(scaling))

  # The same less the initial pair's, a0 and b0. Both products apart: the difference is exactly zero at the start.
  def delta_since(self, a: Tensor, b: Tensor, a0: Tensor, b0: Tensor, scaling: Tensor) -> Tensor:
    return torch.mul(torch.sub(torch.mm(b, a), torch.mm(b0, a0)), float(scaling))

  # dropped is x, or what dropout left of it: the initial pair is a part of the frozen weight and sees all of x.
  def update_since(self, x: Tensor, dropped: Tensor, a: Tensor, b: Tensor, a0: Tensor, b0: Tensor, scaling: Tensor) -> Tensor:
    now = (self).through(dropped, a, b)
    start = (self).through(x, a0, b0)
    return torch.mul(torch.sub(now, start), float(scaling))

  # One pair [a; a0], [b, -b0] of twice the rank for b a - b0 a0
  def joined(self, a: Tensor, b: Tensor, a0: Tensor, b0: Tensor) -> Tuple[Tensor, Tensor]:
    return (torch.cat([a, a0], 0), torch.cat([b, torch.neg(b0)], 1))

  # bias + s own (out, 1), of a bias (out, 1) and own (out)
  def biased(self, bias: Tensor, own: Tensor, scaling: Tensor) -> Tensor:
    return torch.add(bias, torch.mul(torch.unsqueeze(own, 1), float(scaling)))

  # s (h b) a (…, in), of h (…, out)
  def tied(self, h: Tensor, a: Tensor, b: Tensor, scaling: Tensor) -> Tensor:
    type = ops.prim.dtype(h)
    return torch.mul(torch.matmul(torch.matmul(h, torch.to(b, type)), torch.to(a, type)), float(scaling))

  # For merge.ts.
  def merged_rows(self, before: Tensor, up: Tensor, a: Tensor, own: List[Tensor], start: int, updates: Tensor) -> List[Tensor]:
    return [torch.mm(up, a, out=updates)]
