  # Keeps the k elements of x that are largest by magnitude; the others become zero.
  def keep_largest(self, x: Tensor, k: Tensor) -> Tensor:
    flat = torch.flatten(x)
    largest, index = torch.topk(torch.abs(flat), int(k), -1, True, False)
    mask = torch.index_fill(torch.zeros_like(flat), 0, index, 1.)
    return torch.mul(x, torch.reshape(mask, torch.size(x)))

  # 1 where a tensor has the elected sign; zero counts as plus and agrees with none.
  def agrees(self, x: Tensor, votes: Tensor) -> Tensor:
    elected = torch.sub(torch.mul(torch.to(torch.ge(votes, 0), 6), 2.), 1.)
    return torch.to(torch.eq(torch.sign(x), elected), 6)

  # The best approximation of x (out, in) of a rank: b = U S (out, rank) and a = V (rank, in).
  def cut(self, x: Tensor, rank: Tensor) -> Tuple[Tensor, Tensor]:
    u, s, vh = torch.linalg_svd(x, False)
    r = int(rank)
    b = torch.mul(torch.narrow(u, 1, 0, r), torch.narrow(s, 0, 0, r))
    return (torch.contiguous(torch.narrow(vh, 0, 0, r)), b)
