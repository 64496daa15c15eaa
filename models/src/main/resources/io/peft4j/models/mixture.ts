  # The second half of a layer with experts: h + sum of w expert(n) over a token's experts, n the norm of h (B, S, H).
  # Shapes: T = B S tokens, of which N are sent to k of E experts each, M = N k. W … K is the router's group, W1 … K2 are an
  # expert's. real tells which tokens are sent, of no elements if all are. An expert's part of the M is where it starts and
  # how long it is; one without a part is never called.

  # Which tokens of (B, S) are 1, not 0.
  def real_tokens(self, tokens: Tensor) -> List[Tensor]:
    return [torch.reshape(torch.nonzero(torch.reshape(tokens, [-1])), [-1])]

  # The rows of x (T, …) that are sent to experts.
  def sent(self, x: Tensor, real: List[Tensor]) -> Tensor:
    if torch.gt(torch.len(real), 0):
      y = torch.index_select(x, 0, real[0])
    else:
      y = x
    return y

  # Returns n (T, H), zeros (T, H) for the experts to add to, and what backward needs: r, u, scores (T, E), the experts of
  # each token (N, k), then sorted by expert, and for one expert by token, which of them (M), weights (M, 1), tokens (M);
  # how many tokens each expert has (E), on the host, and how project ends. Probabilities are those among all experts.
  def route(self, h: Tensor, norms: List[Tensor], W: List[Tensor], b: List[Tensor], F: List[Tensor], at: List[int], s: List[float], K: List[Tensor], real: List[Tensor], dims: List[int], numbers: List[float]) -> List[Tensor]:
    h2 = torch.view(h, [-1, torch.size(h, -1)])
    n, r = (self).norm(h2, norms[0], numbers[0])
    p = (self).project(n, W, b, F, at, s, K)
    k = dims[0]
    best, experts = torch.topk(torch.softmax(torch.to((self).sent(p[0], real), 6), -1), k, -1)
    w = torch.to(torch.div(best, torch.sum(best, [-1], True)), ops.prim.dtype(h))
    flat = torch.reshape(experts, [-1])
    sorted, order = torch.sort(flat, stable=True, dim=0, descending=False)
    rows = torch.floor_divide(order, k)
    if torch.gt(torch.len(real), 0):
      rows = torch.index_select(real[0], 0, rows)
    else:
      pass
    weights = torch.index_select(torch.reshape(w, [-1, 1]), 0, order)
    counts = torch.cpu(torch.bincount(flat, None, torch.size(p[0], 1)))
    routed = [n, torch.zeros_like(n), r, p[1], p[0], experts, order, weights, rows, counts]
    for i in range(torch.sub(torch.len(p), 2)):
      _0 = torch.append(routed, p[torch.add(i, 2)])
    return routed

  def tokens_of_experts(self, routed: List[Tensor]) -> List[int]:
    counts = annotate(List[int], [])
    for i in range(torch.size(routed[9], 0)):
      _0 = torch.append(counts, int(torch.select(routed[9], 0, i)))
    return counts

  # Adds what an expert gives for its tokens. Returns what backward needs: y of a down with a gain, what `gated` returned
  # behind its result.
  def expert(self, routed: List[Tensor], part: List[int], W1: List[Tensor], b1: List[Tensor], F1: List[Tensor], at1: List[int], s1: List[float], K1: List[Tensor], W2: List[Tensor], b2: List[Tensor], F2: List[Tensor], at2: List[int], s2: List[float], K2: List[Tensor], save: bool) -> List[Tensor]:
    rows = torch.narrow(routed[8], 0, part[0], part[1])
    c = [torch.narrow(routed[7], 0, part[0], part[1])]
    g = (self).gated(torch.index_select(routed[0], 0, rows), c, annotate(List[Tensor], []), W1, b1, F1, at1, s1, K1, W2, b2, F2, at2, s2, K2)
    _0 = torch.index_add_(routed[1], 0, rows, g[0])
    saved = annotate(List[Tensor], [])
    if save:
      if (self).has_gain(F2):
        _1 = torch.append(saved, g[0])
      else:
        _2 = torch.append(saved, torch.empty([0], dtype=ops.prim.dtype(g[0]), device=ops.prim.device(g[0])))
      for i in range(torch.sub(torch.len(g), 1)):
        _3 = torch.append(saved, g[torch.add(i, 1)])
    else:
      pass
    return saved

  # Returns the result, and what `route` left for backward: saved[i] is routed[i + 1].
  def mixed(self, h: Tensor, routed: List[Tensor], save: bool) -> List[Tensor]:
    saved = [torch.view(torch.add_(routed[1], torch.view(h, torch.size(routed[1]))), torch.size(h))]
    if save:
      for i in range(torch.sub(torch.len(routed), 2)):
        _0 = torch.append(saved, routed[torch.add(i, 2)])
    else:
      pass
    return saved

  # Returns n, and zeros for the gradients by n (T, H) and by the sorted weights (M, 1), float32.
  def unmixed(self, h: Tensor, saved: List[Tensor], norms: List[Tensor]) -> List[Tensor]:
    n = (self).normed(torch.view(h, [-1, torch.size(h, -1)]), saved[1], norms[0])
    return [n, torch.zeros_like(n), torch.zeros_like(saved[6], dtype=6)]

  # Adds an expert's gradients to those that `unmixed` began. dh is the gradient by the result; kept comes from `expert`.
  def expert_backward(self, dh: Tensor, saved: List[Tensor], begun: List[Tensor], kept: List[Tensor], part: List[int], W1: List[Tensor], b1: List[Tensor], F1: List[Tensor], at1: List[int], s1: List[float], K1: List[Tensor], W2: List[Tensor], b2: List[Tensor], F2: List[Tensor], at2: List[int], s2: List[float], K2: List[Tensor], need_dx: bool) -> Tensor:
    rows = torch.narrow(saved[7], 0, part[0], part[1])
    c = [torch.narrow(saved[6], 0, part[0], part[1])]
    dy = torch.index_select(torch.view(dh, [-1, torch.size(dh, -1)]), 0, rows)
    x = torch.index_select(begun[0], 0, rows)
    dx, dc = (self).gated_backward(dy, kept[0], x, c, torch.slice(kept, 1, torch.len(kept), 1), W1, b1, F1, at1, s1, K1, W2, b2, F2, at2, s2, K2, need_dx)
    _0 = torch.copy_(torch.narrow(begun[2], 0, part[0], part[1]), dc)
    if need_dx:
      _1 = torch.index_add_(begun[1], 0, rows, dx)
    else:
      pass
    return dh

  # The gradient by the scores (T, E): weights are the probabilities of the chosen divided by their sum. slopes are what
  # each probability of a token that is sent counts beside (E), none if nothing.
  def scores_backward(self, scores: Tensor, experts: Tensor, dweights: Tensor, real: List[Tensor], slopes: List[float]) -> Tensor:
    p = torch.softmax(torch.to((self).sent(scores, real), 6), -1)
    best = torch.gather(p, 1, experts)
    sum = torch.sum(best, [-1], True)
    mean = torch.sum(torch.mul(dweights, torch.div(best, sum)), [-1], True)
    dp = torch.scatter_add_(torch.zeros_like(p), 1, experts, torch.div(torch.sub(dweights, mean), sum))
    if torch.gt(torch.len(slopes), 0):
      dp = torch.add_(dp, torch.tensor(slopes, dtype=6, device=ops.prim.device(p)))
    else:
      pass
    ds = torch.mul_(torch.sub_(dp, torch.sum(torch.mul(dp, p), [-1], True)), p)
    d = torch.to(ds, ops.prim.dtype(scores))
    if torch.gt(torch.len(real), 0):
      d = torch.index_copy_(torch.zeros_like(scores), 0, real[0], d)
    else:
      pass
    return d

  # Sends the weights' gradients through the router, and adds to dh what makes it the gradient by h.
  def route_backward(self, dh3: Tensor, h: Tensor, saved: List[Tensor], begun: List[Tensor], norms: List[Tensor], W: List[Tensor], b: List[Tensor], F: List[Tensor], at: List[int], s: List[float], K: List[Tensor], real: List[Tensor], slopes: List[float], need_dx: bool) -> Tensor:
    scores, experts, order = saved[3], saved[4], saved[5]
    dsorted = torch.view(begun[2], [-1])
    dweights = torch.view_as(torch.index_copy_(torch.empty_like(dsorted), 0, order, dsorted), experts)
    dscores = (self).scores_backward(scores, experts, dweights, real, slopes)
    zs = (self).zs_of(saved, 9, F, K)
    dn = (self).project_backward([dscores], (self).unbiased([scores], b, F), zs, begun[0], saved[2], W, F, at, s, K, need_dx)
    if need_dx:
      h2 = torch.view(h, [-1, torch.size(h, -1)])
      _0 = torch.add_(torch.view(dh3, torch.size(h2)), (self).norm_backward(torch.add_(dn, begun[1]), h2, saved[1], norms[0]))
    else:
      pass
    return dh3
