  # x w^T and x w, of x (T, n) and w (out, in), in float32 by oneDNN, which is faster than MKL on some processors. It
  # takes a plain weight, transposed or not, and has no formula for autograd.
  def nt(self, x: Tensor, w: Tensor) -> Tensor:
    if torch.eq(ops.prim.dtype(x), 6):
      y = ops.mkldnn._linear_pointwise(torch.contiguous(x), w, None, "none", annotate(List[Optional[number]], []), "")
    else:
      y = torch.linear(x, w)
    return y
  def nn(self, x: Tensor, w: Tensor) -> Tensor:
    if torch.eq(ops.prim.dtype(x), 6):
      y = ops.mkldnn._linear_pointwise(torch.contiguous(x), torch.t(w), None, "none", annotate(List[Optional[number]], []), "")
    else:
      y = torch.mm(x, w)
    return y
