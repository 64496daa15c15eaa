  # The end of a model that scores N of its tokens with one number each: norm and a linear layer w (1, H), float32, without
  # bias. h is (B, S, H), rows (N) says which tokens.

  # The scores (N), float32.
  def score(self, h: Tensor, rows: Tensor, norms: List[Tensor], w: Tensor, numbers: List[float]) -> Tensor:
    x = torch.index_select(torch.view(h, [-1, torch.size(h, -1)]), 0, rows)
    n, _0 = (self).norm(x, norms[0], numbers[0])
    return torch.mv(torch.to(n, 6), torch.view(w, [-1]))

  # The gradients by w and by h of the sum of all scores, each times its slope; slopes is (N).
  def score_backward(self, h: Tensor, rows: Tensor, slopes: Tensor, norms: List[Tensor], w: Tensor, numbers: List[float]) -> List[Tensor]:
    h2 = torch.view(h, [-1, torch.size(h, -1)])
    x = torch.index_select(h2, 0, rows)
    n, r = (self).norm(x, norms[0], numbers[0])
    dw = torch.unsqueeze(torch.mv(torch.t(torch.to(n, 6)), slopes), 0)
    dn = torch.to(torch.mul(torch.unsqueeze(slopes, 1), w), ops.prim.dtype(h))
    dh = torch.zeros(torch.size(h2), dtype=ops.prim.dtype(h), device=ops.prim.device(h))
    _1 = torch.index_copy_(dh, 0, rows, torch.to((self).norm_backward(dn, x, r, norms[0]), ops.prim.dtype(h)))
    return [dw, torch.view(dh, torch.size(h))]
