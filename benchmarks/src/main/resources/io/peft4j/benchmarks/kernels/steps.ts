  # Forward and backward of a kernel in one call, as a step of training has them apart.

  def no_masks(self) -> List[Tensor]:
    return annotate(List[Tensor], [])

  # dy and the gradient by x are (T, …).
  def linear_step(self, x: Tensor, dy: Tensor, W: List[Tensor], b: List[Tensor], F: List[Tensor], at: List[int], s: List[float]) -> Tensor:
    K = (self).no_masks()
    p = (self).project(x, W, b, F, at, s, K)
    return (self).project_backward([torch.clone(dy)], [p[0]], K, x, p[1], W, F, at, s, K, True)

  # The gradient by queries.
  def attention_step(self, q: Tensor, k: Tensor, v: Tensor, do: Tensor) -> Tensor:
    o, lse = (self).attend(q, k, v, (self).no_masks())
    dq, dk, dv = (self).attend_backward(do, q, k, v, o, lse, (self).no_masks())
    return dq

  # The gradient by h.
  def feed_forward_step(self, h: Tensor, dh: Tensor, norms: List[Tensor], W1: List[Tensor], b1: List[Tensor], F1: List[Tensor], at1: List[int], s1: List[float], W2: List[Tensor], b2: List[Tensor], F2: List[Tensor], at2: List[int], s2: List[float], numbers: List[float]) -> Tensor:
    K = (self).no_masks()
    saved = (self).feed_forward(h, norms, W1, b1, F1, at1, s1, K, W2, b2, F2, at2, s2, K, K, numbers, True)
    return (self).feed_forward_backward(torch.clone(dh), h, saved, norms, W1, b1, F1, at1, s1, K, W2, b2, F2, at2, s2, K, numbers, True)
