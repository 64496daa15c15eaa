  # Square roots of the singular values, divided by the scaling, go to both sides: s b a is u s vh cut to the rank.
  def halves(self, u: Tensor, s: Tensor, vh: Tensor, rank: int, scaling: float) -> Tuple[Tensor, Tensor]:
    root = torch.sqrt(torch.div(torch.narrow(s, 0, 0, rank), scaling))
    a = torch.mul(torch.unsqueeze(root, 1), torch.narrow(vh, 0, 0, rank))
    b = torch.mul(torch.narrow(u, 1, 0, rank), root)
    return (a, b)

  def pissa(self, w: Tensor, rank: Tensor, scaling: Tensor) -> Tuple[Tensor, Tensor]:
    u, s, vh = torch.linalg_svd(w, False)
    return (self).halves(u, s, vh, int(rank), float(scaling))

  # Subspace iteration: q spans about the range of w's largest singular values, and w is decomposed in it.
  def pissa_near(self, w: Tensor, sketch: Tensor, iterations: Tensor, rank: Tensor, scaling: Tensor) -> Tuple[Tensor, Tensor]:
    q, r = torch.linalg_qr(torch.mm(w, sketch))
    for i in range(int(iterations)):
      p, r = torch.linalg_qr(torch.mm(torch.t(w), q))
      q, r = torch.linalg_qr(torch.mm(w, p))
    u, s, vh = torch.linalg_svd(torch.mm(torch.t(q), w), False)
    return (self).halves(torch.mm(q, u), s, vh, int(rank), float(scaling))

  def olora(self, w: Tensor, rank: Tensor) -> Tuple[Tensor, Tensor]:
    q, r = torch.linalg_qr(w)
    n = int(rank)
    return (torch.contiguous(torch.narrow(r, 0, 0, n)), torch.contiguous(torch.narrow(q, 1, 0, n)))

  # Rows of an orthogonal matrix, one half for each side: what a writes, b does not read.
  def orthogonal(self, square: Tensor, down: Tensor, up: Tensor) -> Tuple[Tensor, Tensor]:
    q, r = torch.linalg_qr(square)
    odd = torch.slice(q, 0, 0, 9223372036854775807, 2)
    even = torch.slice(q, 0, 1, 9223372036854775807, 2)
    return (torch.mm(torch.t(odd), down), torch.mm(up, even))
