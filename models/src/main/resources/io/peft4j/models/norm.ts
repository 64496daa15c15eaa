  # Root mean square norm of the last axis: x r w with r = 1 / sqrt(mean(x^2) + eps). x may be of low precision; sums are
  # float32, and x r is rounded before it is multiplied by w, as in decoder.ts.
  def norm(self, x: Tensor, w: Tensor, eps: float) -> Tuple[Tensor, Tensor]:
    xf = torch.to(x, 6)
    r = torch.rsqrt_(torch.add_(torch.div_(torch.square_(torch.linalg_vector_norm(xf, 2, [-1], True)), torch.size(x, -1)), eps))
    return ((self).normed(x, r, w), r)

  def normed(self, x: Tensor, r: Tensor, w: Tensor) -> Tensor:
    return torch.mul_(torch.to(torch.mul(x, r), ops.prim.dtype(x)), w)

  # The gradient by x, float32, of the gradient dn by the norm, which is overwritten.
  def norm_backward(self, dn: Tensor, x: Tensor, r: Tensor, w: Tensor) -> Tensor:
    n = torch.mul(x, r)
    g = torch.to(torch.mul_(dn, w), 6)
    c = torch.div_(torch.sum(torch.mul(g, n), [-1], True), torch.size(x, -1))
    return torch.mul_(torch.addcmul_(g, n, c, value=-1), r)
