  # Shapes: N tokens, H hidden, E experts, k experts per token.

  # (B, S, H) -> (N, H)
  def tokens(self, x: Tensor) -> Tensor:
    return torch.reshape(x, [-1, torch.size(x, -1)])

  # Scores (N, E) -> weights (N k) and tokens (N k), both sorted by expert and, for one expert, by
  # token; and how many tokens each expert has (E), on the host, where they are read one by one. The
  # probabilities are those among all experts.
  def route(self, scores: Tensor, chosen: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
    k = int(chosen)
    p = torch.softmax(torch.to(scores, 6), -1)
    best, experts = torch.topk(p, k, -1)
    w = torch.div(best, torch.sum(best, [-1], True))
    flat = torch.reshape(experts, [-1])
    sorted, order = torch.sort(flat, stable=True, dim=0, descending=False)
    weights = torch.index_select(torch.reshape(torch.to(w, ops.prim.dtype(scores)), [-1]), 0, order)
    counts = torch.cpu(torch.bincount(flat, None, torch.size(scores, 1)))
    return (weights, torch.floor_divide(order, k), counts)

  # The same for those tokens alone that are 1 in tokens (B, S), not 0.
  def route_tokens(self, scores: Tensor, chosen: Tensor, tokens: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
    real = torch.reshape(torch.nonzero(torch.reshape(tokens, [-1])), [-1])
    weights, rows, counts = (self).route(torch.index_select(scores, 0, real), chosen)
    return (weights, torch.index_select(real, 0, rows), counts)

  # The tokens (n, H) of each expert that has any.
  def dispatch(self, x: Tensor, rows: Tensor, counts: Tensor) -> List[Tensor]:
    sizes = annotate(List[int], [])
    for i in range(torch.size(counts, 0)):
      n = int(torch.select(counts, 0, i))
      if torch.gt(n, 0):
        _0 = torch.append(sizes, n)
      else:
        pass
    return torch.split_with_sizes(torch.index_select(x, 0, rows), sizes, 0)

  # Adds up what the experts gave for each token, in the shape of x (B, S, H).
  def combine(self, results: List[Tensor], weights: Tensor, rows: Tensor, x: Tensor) -> Tensor:
    y = torch.mul(torch.cat(results, 0), torch.unsqueeze(weights, 1))
    n = torch.floordiv(torch.numel(x), torch.size(x, -1))
    zeros = torch.zeros([n, torch.size(x, -1)], dtype=ops.prim.dtype(x), device=ops.prim.device(x))
    return torch.reshape(torch.index_add(zeros, 0, rows, y), torch.size(x))

  def nothing(self, x: Tensor) -> Tensor:
    return torch.zeros_like(x)

  # Scores (N, E) of each layer, 1 for tokens that count (N) -> scalar
  def auxiliary_loss(self, scores: List[Tensor], counted: Tensor, chosen: Tensor) -> Tensor:
    k = int(chosen)
    e = torch.size(scores[0], 1)
    share = torch.zeros([e], dtype=6, device=ops.prim.device(counted))
    mean = torch.zeros([e], dtype=6, device=ops.prim.device(counted))
    times = torch.repeat_interleave(counted, k, 0)
    for i in range(torch.len(scores)):
      p = torch.softmax(torch.to(scores[i], 6), -1)
      _0, experts = torch.topk(p, k, -1)
      share = torch.scatter_add(share, 0, torch.reshape(experts, [-1]), times)
      mean = torch.add(mean, torch.sum(torch.mul(p, torch.unsqueeze(counted, 1)), [0]))
    total = torch.mul(torch.sum(counted), torch.len(scores))
    return torch.mul(torch.sum(torch.mul(torch.div(share, total), torch.div(mean, total))), e)

  # A scalar whose gradient by x is upstream, and by the loss the weight.
  def joined(self, x: Tensor, upstream: Tensor, loss: Tensor, weight: Tensor) -> Tensor:
    return torch.add(torch.sum(torch.mul(x, upstream)), torch.mul(loss, float(weight)))
