  # The first half of a layer: h + output(attention(norm(h))), h (B, S, H). Shapes: T = B S tokens, D head width, hk
  # key-value heads, rep queries per key-value head, n rotated dimensions. W1 … K1 are the group of queries, keys and
  # values, fused or not, W2 … K2 that of the output. norms are those of the layer and, if there are any, of queries and
  # keys. table is cos and sin (positions, n/2). dims are hk, D, the position of the first token, and the window or 0.
  # numbers are eps and the reciprocal of cos^2 + sin^2. mask is empty, or one (B hk or 1, 1, S, keys) added to scores.
  # cache is empty, or the keys and values of earlier tokens (B hk, 1, capacity, D).

  # Queries (T, hk rep D), keys and values (T, hk D), views of a fused projection.
  def query_key_value(self, ys: List[Tensor], layers: int, kv: int) -> List[Tensor]:
    if torch.eq(layers, 1):
      q = torch.sub(torch.size(ys[0], 1), torch.mul(kv, 2))
      parts = [torch.narrow(ys[0], 1, 0, q), torch.narrow(ys[0], 1, q, kv), torch.narrow(ys[0], 1, torch.add(q, kv), kv)]
    else:
      parts = [ys[0], ys[1], ys[2]]
    return parts

  # (T, hk rep D) as (B, hk, rep, S, D).
  def headed(self, x: Tensor, b: int, hk: int, d: int) -> Tensor:
    return torch.permute(torch.view(x, [b, torch.floordiv(torch.size(x, 0), b), hk, -1, d]), [0, 2, 3, 1, 4])

  # Writes x (…, S, D) turned by the angles of cos and sin (S, n/2), or back by sign -1, into o, both float32.
  def turn_float32_into(self, x: Tensor, cos: Tensor, sin: Tensor, sign: float, o: Tensor) -> Tensor:
    half = torch.size(cos, -1)
    n = torch.mul(half, 2)
    x1 = torch.narrow(x, -1, 0, half)
    x2 = torch.narrow(x, -1, half, half)
    _0 = torch.addcmul_(torch.mul(x1, cos, out=torch.narrow(o, -1, 0, half)), x2, sin, value=torch.neg(sign))
    _1 = torch.addcmul_(torch.mul(x2, cos, out=torch.narrow(o, -1, half, half)), x1, sin, value=sign)
    rest = torch.sub(torch.size(x, -1), n)
    if torch.gt(rest, 0):
      _2 = torch.copy_(torch.narrow(o, -1, n, rest), torch.narrow(x, -1, n, rest))
    else:
      pass
    return o

  # The same for any type, by way of float32.
  def turn_into(self, x: Tensor, cos: Tensor, sin: Tensor, sign: float, o: Tensor) -> Tensor:
    if torch.eq(ops.prim.dtype(x), 6):
      y = (self).turn_float32_into(x, cos, sin, sign, o)
    else:
      wide = torch.empty(torch.size(x), dtype=6, device=ops.prim.device(x))
      y = torch.copy_(o, (self).turn_float32_into(torch.to(x, 6), cos, sin, sign, wide))
    return y

  # A head of queries or keys (B, hk, n, S, D), with a norm if it has one, turned: (B hk, n, S, D).
  def turned(self, x: Tensor, norms: List[Tensor], at: int, cos: Tensor, sin: Tensor, eps: float) -> Tensor:
    if torch.gt(torch.len(norms), 1):
      y, _0 = (self).norm(x, norms[at], eps)
    else:
      y = x
    o = torch.empty(torch.size(x), dtype=ops.prim.dtype(x), device=ops.prim.device(x))
    return torch.flatten((self).turn_into(y, cos, sin, 1., o), 0, 1)

  def shared(self, k: Tensor, q: Tensor) -> Tensor:
    return torch.expand(k, [torch.size(k, 0), torch.size(q, 1), torch.size(k, 2), torch.size(k, 3)])

  # Attention scores (B hk, rep, S, keys) with the mask, float32: where there is no fused operation with a backward to call.
  def scores(self, q: Tensor, k: Tensor, mask: List[Tensor]) -> Tensor:
    d = torch.size(q, -1)
    x = torch.mul_(torch.to(torch.matmul(q, torch.transpose(k, -2, -1)), 6), torch.pow(torch.mul(d, 1.), -0.5))
    s = torch.size(q, -2)
    if torch.gt(torch.len(mask), 0):
      x = torch.add_(x, mask[0])
    else:
      if torch.gt(s, 1):
        after = torch.triu(torch.ones([s, s], dtype=11, device=ops.prim.device(q)), 1)
        x = torch.masked_fill_(x, after, -3.4028234663852886e+38)
      else:
        pass
    return x

  # Several tokens see themselves and those before, or what the mask lets them; a single one sees all keys. Returns the
  # result (B hk, rep, S, D) and the logarithm of each query's sum. libtorch's fused attention on the CPU reads beyond
  # the keys if it is given fewer of them than queries: they are repeated without a copy. On other devices the scores
  # exist whole.
  def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: List[Tensor]) -> Tuple[Tensor, Tensor]:
    if ops.prim.is_cpu(q):
      k2 = (self).shared(k, q)
      v2 = (self).shared(v, q)
      if torch.gt(torch.len(mask), 0):
        o, lse = torch._scaled_dot_product_flash_attention_for_cpu(q, k2, v2, 0., False, attn_mask=mask[0])
      else:
        o, lse = torch._scaled_dot_product_flash_attention_for_cpu(q, k2, v2, 0., torch.gt(torch.size(q, 2), 1))
    else:
      x = (self).scores(q, k, mask)
      lse = torch.logsumexp(x, [-1])
      o = torch.matmul(torch.to(torch.exp_(torch.sub_(x, torch.unsqueeze(lse, -1))), ops.prim.dtype(q)), v)
    return (o, lse)

  # The gradients by queries, keys and values, those of keys and values summed over the queries that share them.
  def attend_backward(self, do: Tensor, q: Tensor, k: Tensor, v: Tensor, o: Tensor, lse: Tensor, mask: List[Tensor]) -> Tuple[Tensor, Tensor, Tensor]:
    if ops.prim.is_cpu(q):
      k2 = (self).shared(k, q)
      v2 = (self).shared(v, q)
      if torch.gt(torch.len(mask), 0):
        dq, dk, dv = torch._scaled_dot_product_flash_attention_for_cpu_backward(do, q, k2, v2, o, lse, 0., False, attn_mask=mask[0])
      else:
        dq, dk, dv = torch._scaled_dot_product_flash_attention_for_cpu_backward(do, q, k2, v2, o, lse, 0., True)
    else:
      p = torch.exp_(torch.sub_((self).scores(q, k, mask), torch.unsqueeze(lse, -1)))
      dp = torch.to(torch.matmul(do, torch.transpose(v, -2, -1)), 6)
      mean = torch.sum(torch.mul(torch.to(do, 6), torch.to(o, 6)), [-1], True)
      scale = torch.pow(torch.mul(torch.size(q, -1), 1.), -0.5)
      dx = torch.to(torch.mul_(torch.mul_(torch.sub_(dp, mean), p), scale), ops.prim.dtype(q))
      dq = torch.matmul(dx, k)
      dk = torch.matmul(torch.transpose(dx, -2, -1), q)
      dv = torch.matmul(torch.transpose(torch.to(p, ops.prim.dtype(q)), -2, -1), do)
    return (dq, torch.sum(dk, [1], True), torch.sum(dv, [1], True))

  # (B hk, rep, S, D) -> (T, hk rep D)
  def joined_heads(self, o: Tensor, hk: int) -> Tensor:
    b = torch.floordiv(torch.size(o, 0), hk)
    x = torch.view(o, [b, hk, torch.size(o, 1), torch.size(o, 2), torch.size(o, 3)])
    return torch.reshape(torch.permute(x, [0, 3, 1, 2, 4]), [torch.mul(b, torch.size(o, 2)), -1])

  # Writes keys or values behind the earlier ones, and gives those that the new tokens may look at: for one token the
  # last of them, as many as the window has. Several tokens come first, and look at each other.
  def remember(self, x: Tensor, kept: Tensor, start: int, window: int) -> Tensor:
    s = torch.size(x, 2)
    _0 = torch.copy_(torch.narrow(kept, 2, start, s), x)
    end = torch.add(start, s)
    if torch.__and__(torch.gt(window, 0), torch.eq(s, 1)):
      first = ops.prim.max(0, torch.sub(end, window))
    else:
      first = 0
    return torch.narrow(kept, 2, first, torch.sub(end, first))

  # Returns the result, and what backward needs: r, u2, y of an output with a gain, q, k, v, o, lse, u1, then the
  # projections before their norms, if they have any, and how project1 and project2 end.
  def attention(self, h: Tensor, norms: List[Tensor], W1: List[Tensor], b1: List[Tensor], F1: List[Tensor], at1: List[int], s1: List[float], K1: List[Tensor], W2: List[Tensor], b2: List[Tensor], F2: List[Tensor], at2: List[int], s2: List[float], K2: List[Tensor], table: List[Tensor], mask: List[Tensor], cache: List[Tensor], dims: List[int], numbers: List[float], save: bool) -> List[Tensor]:
    b = torch.size(h, 0)
    s = torch.size(h, 1)
    hk = dims[0]
    d = dims[1]
    start = dims[2]
    eps = numbers[0]
    cos = torch.narrow(table[0], 0, start, s)
    sin = torch.narrow(table[1], 0, start, s)
    h2 = torch.view(h, [-1, torch.size(h, -1)])
    n, r = (self).norm(h2, norms[0], eps)
    layers = torch.len(W1)
    p1 = (self).project(n, W1, b1, F1, at1, s1, K1)
    parts = (self).query_key_value(p1, layers, torch.mul(hk, d))
    q = (self).turned((self).headed(parts[0], b, hk, d), norms, 1, cos, sin, eps)
    k = (self).turned((self).headed(parts[1], b, hk, d), norms, 2, cos, sin, eps)
    v = torch.contiguous(torch.flatten((self).headed(parts[2], b, hk, d), 0, 1))
    if torch.gt(torch.len(cache), 0):
      k = (self).remember(k, cache[0], start, dims[3])
      v = (self).remember(v, cache[1], start, dims[3])
    else:
      pass
    o, lse = (self).attend(q, k, v, mask)
    p2 = (self).project((self).joined_heads(o, hk), W2, b2, F2, at2, s2, K2)
    if torch.__and__((self).has_gain(F2), save):
      y = p2[0]
      result = torch.add(y, h2)
    else:
      y = torch.empty([0], dtype=ops.prim.dtype(h), device=ops.prim.device(h))
      result = torch.add_(p2[0], h2)
    saved = [torch.view(result, torch.size(h))]
    if save:
      _0 = torch.append(saved, r)
      _1 = torch.append(saved, p2[1])
      _2 = torch.append(saved, y)
      _3 = torch.append(saved, q)
      _4 = torch.append(saved, k)
      _5 = torch.append(saved, v)
      _6 = torch.append(saved, o)
      _7 = torch.append(saved, lse)
      _8 = torch.append(saved, p1[layers])
      if torch.gt(torch.len(norms), 1):
        for i in range(layers):
          _9 = torch.append(saved, p1[i])
      else:
        pass
      for i in range(torch.sub(torch.len(p1), torch.add(layers, 1))):
        _10 = torch.append(saved, p1[torch.add(torch.add(layers, 1), i)])
      for i in range(torch.sub(torch.len(p2), 2)):
        _11 = torch.append(saved, p2[torch.add(i, 2)])
    else:
      pass
    return saved

  # Sends a head's gradient (B hk, n, S, D) back through turning and norm, into o (B, hk, n, S, D).
  def turned_backward(self, g: Tensor, raw: Tensor, norms: List[Tensor], at: int, cos: Tensor, sin: Tensor, eps: float, o: Tensor) -> Tensor:
    g5 = torch.view(g, torch.size(o))
    if torch.gt(torch.len(norms), 1):
      dn = torch.empty(torch.size(o), dtype=ops.prim.dtype(o), device=ops.prim.device(o))
      _0 = (self).turn_into(g5, cos, sin, -1., dn)
      _1, r = (self).norm(raw, norms[at], eps)
      _2 = torch.copy_(o, (self).norm_backward(dn, raw, r, norms[at]))
    else:
      _3 = (self).turn_into(g5, cos, sin, -1., o)
    return o

  # What the projections gave, without their biases, found again from turned queries and keys. turns is 1 / (cos^2 + sin^2).
  def projected(self, q: Tensor, k: Tensor, v: Tensor, like: List[Tensor], b1: List[Tensor], F1: List[Tensor], layers: int, b: int, hk: int, d: int, cos: Tensor, sin: Tensor, turns: float) -> List[Tensor]:
    ys = annotate(List[Tensor], [])
    for j in range(layers):
      _0 = torch.append(ys, torch.empty_like(like[j]))
    parts = (self).query_key_value(ys, layers, torch.mul(hk, d))
    n = torch.mul(torch.size(cos, -1), 2)
    oq = (self).headed(parts[0], b, hk, d)
    ok = (self).headed(parts[1], b, hk, d)
    ov = (self).headed(parts[2], b, hk, d)
    _1 = (self).turn_into(torch.view(q, torch.size(oq)), cos, sin, -1., oq)
    _2 = (self).turn_into(torch.view(k, torch.size(ok)), cos, sin, -1., ok)
    _3 = torch.copy_(ov, torch.view(v, torch.size(ov)))
    if torch.ne(turns, 1.):
      _4 = torch.mul_(torch.narrow(oq, -1, 0, n), turns)
      _5 = torch.mul_(torch.narrow(ok, -1, 0, n), turns)
    else:
      pass
    return (self).unbiased(ys, b1, F1)

  # Adds to dh, the gradient by the result, what makes it the gradient by h.
  def attention_backward(self, dh3: Tensor, h: Tensor, saved: List[Tensor], norms: List[Tensor], W1: List[Tensor], b1: List[Tensor], F1: List[Tensor], at1: List[int], s1: List[float], K1: List[Tensor], W2: List[Tensor], b2: List[Tensor], F2: List[Tensor], at2: List[int], s2: List[float], K2: List[Tensor], table: List[Tensor], mask: List[Tensor], dims: List[int], numbers: List[float], need_dx: bool) -> Tensor:
    b = torch.size(h, 0)
    s = torch.size(h, 1)
    hk = dims[0]
    d = dims[1]
    eps = numbers[0]
    cos = torch.narrow(table[0], 0, dims[2], s)
    sin = torch.narrow(table[1], 0, dims[2], s)
    hidden = torch.size(h, -1)
    h2 = torch.view(h, [-1, hidden])
    dh = torch.view(dh3, [-1, hidden])
    r, u2, y2, q, k, v, o, lse, u1 = saved[1], saved[2], saved[3], saved[4], saved[5], saved[6], saved[7], saved[8], saved[9]
    layers = torch.len(W1)
    next = 10
    raw = annotate(List[Tensor], [])
    if torch.gt(torch.len(norms), 1):
      raw = torch.slice(saved, 10, torch.add(10, layers), 1)
      next = torch.add(10, layers)
    else:
      pass
    zs1 = (self).zs_of(saved, next, F1, K1)
    zs2 = (self).zs_of(saved, torch.add(next, torch.len(zs1)), F2, K2)
    if (self).has_gain(F2):
      dy = torch.clone(dh)
    else:
      dy = dh
    joined = (self).joined_heads(o, hk)
    do2 = (self).project_backward([dy], (self).unbiased([y2], b2, F2), zs2, joined, u2, W2, F2, at2, s2, K2, True)
    do = torch.contiguous(torch.flatten((self).headed(do2, b, hk, d), 0, 1))
    dq, dk, dv = (self).attend_backward(do, q, k, v, o, lse, mask)
    t = torch.size(h2, 0)
    dys = annotate(List[Tensor], [])
    for j in range(layers):
      _0 = torch.append(dys, torch.empty([t, torch.size(W1[j], 0)], dtype=ops.prim.dtype(h), device=ops.prim.device(h)))
    parts = (self).query_key_value(dys, layers, torch.mul(hk, d))
    oq = (self).headed(parts[0], b, hk, d)
    ok = (self).headed(parts[1], b, hk, d)
    ov = (self).headed(parts[2], b, hk, d)
    if torch.gt(torch.len(norms), 1):
      rawparts = (self).query_key_value(raw, layers, torch.mul(hk, d))
      rq = (self).headed(rawparts[0], b, hk, d)
      rk = (self).headed(rawparts[1], b, hk, d)
    else:
      rq = oq
      rk = ok
    _1 = (self).turned_backward(dq, rq, norms, 1, cos, sin, eps, oq)
    _2 = (self).turned_backward(dk, rk, norms, 2, cos, sin, eps, ok)
    _3 = torch.copy_(ov, torch.view(dv, torch.size(ov)))
    ys = dys
    if (self).has_gain(F1):
      if torch.gt(torch.len(norms), 1):
        ys = (self).unbiased(raw, b1, F1)
      else:
        ys = (self).projected(q, k, v, dys, b1, F1, layers, b, hk, d, cos, sin, numbers[1])
    else:
      pass
    n = (self).normed(h2, r, norms[0])
    dn = (self).project_backward(dys, ys, zs1, n, u1, W1, F1, at1, s1, K1, need_dx)
    if need_dx:
      _4 = torch.add_(dh, (self).norm_backward(dn, h2, r, norms[0]))
    else:
      pass
    return dh3
