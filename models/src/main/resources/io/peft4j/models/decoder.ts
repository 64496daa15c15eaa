  # Shapes: B sequences, S tokens, H hidden, D head width, hk key-value heads, rep queries per
  # key-value head, N labelled tokens, V vocabulary. Scalars are tensors of no dimension.

  # x / sqrt(mean(x^2) + eps), in float32 whatever x is, rounded to x's type, then times w.
  def rms_norm(self, x: Tensor, w: Tensor, eps: Tensor) -> Tensor:
    xf = torch.to(x, 6)
    r = torch.rsqrt(torch.add(torch.mean(torch.square(xf), [-1], True), float(eps)))
    return torch.mul(torch.to(torch.mul(xf, r), ops.prim.dtype(x)), w)

  # Rotates the pairs (x[i], x[i + n/2]) of the last axis' first n; the rest is passed on.
  def rotate(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    half = torch.size(cos, -1)
    turned = torch.mul(half, 2)
    xf = torch.to(x, 6)
    a = torch.narrow(xf, -1, 0, half)
    b = torch.narrow(xf, -1, half, half)
    y0 = torch.sub(torch.mul(a, cos), torch.mul(b, sin))
    y1 = torch.add(torch.mul(b, cos), torch.mul(a, sin))
    rest = torch.sub(torch.size(x, -1), turned)
    if torch.gt(rest, 0):
      y = torch.cat([y0, y1, torch.narrow(xf, -1, turned, rest)], -1)
    else:
      y = torch.cat([y0, y1], -1)
    return torch.to(y, ops.prim.dtype(x))

  # (B, S, q + 2 kv) -> (B, S, q), (B, S, kv), (B, S, kv)
  def split(self, qkv: Tensor, queries: Tensor, keys: Tensor) -> List[Tensor]:
    return torch.split_with_sizes(qkv, [int(queries), int(keys), int(keys)], -1)

  # (…, 2 F) -> (…, F), (…, F)
  def halves(self, x: Tensor) -> List[Tensor]:
    return torch.split(x, torch.floordiv(torch.size(x, -1), 2), -1)

  # (B, S, hk n D) -> (B, S, hk, n, D)
  def by_head(self, x: Tensor, heads: int, dim: int) -> Tensor:
    return torch.view(x, [torch.size(x, 0), torch.size(x, 1), heads, -1, dim])

  # (B, S, hk, n, D) -> (B hk, n, S, D): libtorch's attention on the CPU reads beyond the keys when
  # there are fewer key-value heads than queries, so each key-value head becomes a row of the batch.
  def fold(self, x: Tensor) -> Tensor:
    y = torch.permute(x, [0, 2, 3, 1, 4])
    return torch.reshape(y, [torch.mul(torch.size(y, 0), torch.size(y, 1)), torch.size(y, 2), torch.size(y, 3), torch.size(y, 4)])

  def rotated_heads(self, q: Tensor, k: Tensor, v: Tensor, cos: Tensor, sin: Tensor, position: int) -> Tuple[Tensor, Tensor, Tensor]:
    s = torch.size(q, 1)
    # (S, 1, 1, n/2): the same for all heads of a token
    c = torch.unsqueeze(torch.unsqueeze(torch.narrow(cos, 0, position, s), 1), 1)
    n = torch.unsqueeze(torch.unsqueeze(torch.narrow(sin, 0, position, s), 1), 1)
    return ((self).fold((self).rotate(q, c, n)), (self).fold((self).rotate(k, c, n)), (self).fold(v))

  # (B, S, heads D) each -> queries (B hk, rep, S, D), keys and values (B hk, 1, S, D), rotated for
  # tokens from position on.
  def heads(self, q: Tensor, k: Tensor, v: Tensor, kv_heads: Tensor, dim: Tensor, cos: Tensor, sin: Tensor, position: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
    h = int(kv_heads)
    d = int(dim)
    return (self).rotated_heads((self).by_head(q, h, d), (self).by_head(k, h, d), (self).by_head(v, h, d), cos, sin, int(position))

  # The same with a norm on each query and key before they are rotated.
  def normed_heads(self, q: Tensor, k: Tensor, v: Tensor, kv_heads: Tensor, dim: Tensor, cos: Tensor, sin: Tensor, position: Tensor, wq: Tensor, wk: Tensor, eps: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
    h = int(kv_heads)
    d = int(dim)
    q2 = (self).rms_norm((self).by_head(q, h, d), wq, eps)
    k2 = (self).rms_norm((self).by_head(k, h, d), wk, eps)
    return (self).rotated_heads(q2, k2, (self).by_head(v, h, d), cos, sin, int(position))

  # (B hk, rep, S, D) -> (B, S, hk rep D)
  def unfold_heads(self, o: Tensor, heads: int) -> Tensor:
    b = torch.floordiv(torch.size(o, 0), heads)
    x = torch.view(o, [b, heads, torch.size(o, 1), torch.size(o, 2), torch.size(o, 3)])
    return torch.reshape(torch.permute(x, [0, 3, 1, 2, 4]), [b, torch.size(o, 2), -1])

  # A key-value head as often as it has queries, without a copy.
  def share(self, k: Tensor, q: Tensor) -> Tensor:
    return torch.expand(k, [torch.size(k, 0), torch.size(q, 1), torch.size(k, 2), torch.size(k, 3)])

  # Several tokens see themselves and those before; a single one sees all keys.
  def causal_attention(self, q: Tensor, k: Tensor, v: Tensor, kv_heads: Tensor) -> Tensor:
    o = torch.scaled_dot_product_attention(q, (self).share(k, q), (self).share(v, q), None, 0., torch.gt(torch.size(q, 2), 1))
    return (self).unfold_heads(o, int(kv_heads))

  # (B, S) of ones for tokens -> (B, S, S), added to the scores: 0 where a token may look, which is
  # at most window tokens back, itself among them; no window if it is 0. The lowest finite number, not
  # minus infinity: a padding row that may look nowhere must not become NaN.
  def additive_mask(self, tokens: Tensor, window: Tensor) -> Tensor:
    b = torch.size(tokens, 0)
    s = torch.size(tokens, 1)
    w = int(window)
    all = torch.ones([s, s], dtype=11, device=ops.prim.device(tokens))
    if torch.gt(w, 0):
      unseen = torch.logical_or(torch.triu(all, 1), torch.tril(all, torch.neg(w)))
    else:
      unseen = torch.triu(all, 1)
    hidden = torch.logical_or(torch.unsqueeze(torch.eq(tokens, 0), 1), unseen)
    return torch.masked_fill(torch.zeros([b, s, s], dtype=6, device=ops.prim.device(tokens)), hidden, -3.4028234663852886e+38)

  # (B, n) of ones for tokens, the last of which looks at those in the window -> (B, 1, keys)
  def next_mask(self, tokens: Tensor, window: Tensor) -> Tensor:
    n = torch.size(tokens, 1)
    w = int(window)
    if torch.gt(w, 0):
      keys = ops.prim.min(n, w)
    else:
      keys = n
    hidden = torch.unsqueeze(torch.eq(torch.narrow(tokens, 1, torch.sub(n, keys), keys), 0), 1)
    return torch.masked_fill(torch.zeros([torch.size(tokens, 0), 1, keys], dtype=6, device=ops.prim.device(tokens)), hidden, -3.4028234663852886e+38)

  # The mask is (B, S, keys), or (1, S, keys) for all rows.
  def masked_attention(self, q: Tensor, k: Tensor, v: Tensor, kv_heads: Tensor, mask: Tensor) -> Tensor:
    heads = int(kv_heads)
    if torch.eq(torch.size(mask, 0), 1):
      m = torch.unsqueeze(mask, 1)
    else:
      m = torch.unsqueeze(torch.repeat_interleave(mask, heads, 0), 1)
    if torch.ne(ops.prim.dtype(m), ops.prim.dtype(q)):
      # the lowest float32 rounds to minus infinity: back to the lowest finite number of q's type
      m = torch.nan_to_num(torch.to(m, ops.prim.dtype(q)))
    else:
      pass
    o = torch.scaled_dot_product_attention(q, (self).share(k, q), (self).share(v, q), m, 0., False)
    return (self).unfold_heads(o, heads)

  # Writes new keys and values behind the old ones, and gives those that the new tokens may look at:
  # for one token the last of them, as many as the window has if it is not 0. Several tokens are only
  # possible at the start, and look at each other.
  def append(self, k: Tensor, v: Tensor, keys: Tensor, values: Tensor, position: Tensor, window: Tensor) -> Tuple[Tensor, Tensor]:
    start = int(position)
    s = torch.size(k, 2)
    _0 = torch.copy_(torch.narrow(keys, 2, start, s), k)
    _1 = torch.copy_(torch.narrow(values, 2, start, s), v)
    w = int(window)
    end = torch.add(start, s)
    if torch.__and__(torch.gt(w, 0), torch.eq(s, 1)):
      first = ops.prim.max(0, torch.sub(end, w))
    else:
      first = 0
    n = torch.sub(end, first)
    return (torch.narrow(keys, 2, first, n), torch.narrow(values, 2, first, n))

  def swiglu(self, gate: Tensor, up: Tensor) -> Tensor:
    return torch.mul(torch.silu(gate), up)

  # The rows (N, H) of h (B, S, H) flattened that have a label.
  def pick(self, h: Tensor, rows: Tensor) -> Tensor:
    return torch.index_select(torch.reshape(h, [-1, torch.size(h, -1)]), 0, rows)

  # -log softmax(logits)[target] per row (N), of logits (N, V)
  def losses(self, logits: Tensor, targets: Tensor) -> Tensor:
    lp = torch.log_softmax(torch.to(logits, 6), -1)
    return torch.neg(torch.squeeze(torch.gather(lp, 1, torch.unsqueeze(targets, 1)), 1))

  # The same, and the gradient of their sum, each times its factor, by the logits: (softmax - one_hot) * factor; factors
  # is (N), or (1) if all have the same
  def losses_and_gradient(self, logits: Tensor, targets: Tensor, factors: Tensor) -> Tuple[Tensor, Tensor]:
    t = torch.unsqueeze(targets, 1)
    lp = torch.log_softmax(torch.to(logits, 6), -1)
    loss = torch.neg(torch.gather(lp, 1, t))
    d = torch.exp_(lp)
    _0 = torch.scatter_add_(d, 1, t, torch.full_like(loss, -1.))
    return (torch.squeeze(loss, 1), torch.to(torch.mul_(d, torch.unsqueeze(factors, 1)), ops.prim.dtype(logits)))

  # Whether backward from x would reach anything; NDArray.hasGradient tells so of leaves only.
  def is_tracked(self, x: Tensor) -> Tensor:
    return torch.tensor(ops.prim.requires_grad(x))

  # (B, S, H) -> (B, H)
  def last_token(self, h: Tensor) -> Tensor:
    return torch.select(h, 1, -1)

  # Parts of a batch, one behind the other.
  def together(self, parts: List[Tensor]) -> Tensor:
    return torch.cat(parts, 0)

  # Some rows of a batch, in a certain order.
  def rows_of(self, x: Tensor, rows: Tensor) -> Tensor:
    return torch.index_select(x, 0, rows)
