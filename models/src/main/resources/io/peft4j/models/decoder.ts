  # Shapes: B sequences, S tokens, H hidden, D head width, hk key-value heads, rep queries per
  # key-value head, N labelled tokens, V vocabulary. Scalars are tensors of no dimension.

  # x / sqrt(mean(x^2) + eps), in float32 whatever x is, rounded to x's type, then times w.
  def rms_norm(self, x: Tensor, w: Tensor, eps: Tensor) -> Tensor:
    xf = torch.to(x, 6)
    r = torch.rsqrt(torch.add(torch.mean(torch.square(xf), [-1], True), float(eps)))
    return torch.mul(torch.to(torch.mul(xf, r), ops.prim.dtype(x)), w)

  # (S, D/2) each: cosine and sine of position / theta^(2 i / D). All in float32 as the published
  # code has it: the angle's rounding grows with the position and must be the same.
  def rotary_table(self, length: Tensor, dim: Tensor, theta: Tensor, like: Tensor) -> Tuple[Tensor, Tensor]:
    d = int(dim)
    device = ops.prim.device(like)
    exponents = torch.div(torch.arange(0, d, 2, dtype=6, device=device), d)
    inverse = torch.reciprocal(torch.pow(float(theta), exponents))
    angles = torch.outer(torch.arange(int(length), dtype=6, device=device), inverse)
    return (torch.cos(angles), torch.sin(angles))

  # Rotates the pairs (x[i], x[i + D/2]) of the last axis.
  def rotate(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    half = torch.size(cos, -1)
    xf = torch.to(x, 6)
    a = torch.narrow(xf, -1, 0, half)
    b = torch.narrow(xf, -1, half, half)
    y = torch.cat([torch.sub(torch.mul(a, cos), torch.mul(b, sin)), torch.add(torch.mul(b, cos), torch.mul(a, sin))], -1)
    return torch.to(y, ops.prim.dtype(x))

  # (B, S, (hk rep + 2 hk) D) -> (B, S, hk, rep, D), (B, S, hk, 1, D), (B, S, hk, 1, D)
  def split(self, qkv: Tensor, heads: int, dim: int) -> Tuple[Tensor, Tensor, Tensor]:
    b = torch.size(qkv, 0)
    s = torch.size(qkv, 1)
    all = torch.floordiv(torch.size(qkv, 2), dim)
    queries = torch.sub(all, torch.mul(2, heads))
    x = torch.view(qkv, [b, s, all, dim])
    q = torch.view(torch.narrow(x, 2, 0, queries), [b, s, heads, torch.floordiv(queries, heads), dim])
    k = torch.unsqueeze(torch.narrow(x, 2, queries, heads), 3)
    v = torch.unsqueeze(torch.narrow(x, 2, torch.add(queries, heads), heads), 3)
    return (q, k, v)

  # (B, S, hk, n, D) -> (B hk, n, S, D): libtorch's attention on the CPU reads beyond the keys when
  # there are fewer key-value heads than queries, so each key-value head becomes a row of the batch.
  def fold(self, x: Tensor) -> Tensor:
    y = torch.permute(x, [0, 2, 3, 1, 4])
    return torch.reshape(y, [torch.mul(torch.size(y, 0), torch.size(y, 1)), torch.size(y, 2), torch.size(y, 3), torch.size(y, 4)])

  def rotated_heads(self, q: Tensor, k: Tensor, v: Tensor, cos: Tensor, sin: Tensor, position: int) -> Tuple[Tensor, Tensor, Tensor]:
    s = torch.size(q, 1)
    # (S, 1, 1, D/2): the same for all heads of a token
    c = torch.unsqueeze(torch.unsqueeze(torch.narrow(cos, 0, position, s), 1), 1)
    n = torch.unsqueeze(torch.unsqueeze(torch.narrow(sin, 0, position, s), 1), 1)
    return ((self).fold((self).rotate(q, c, n)), (self).fold((self).rotate(k, c, n)), (self).fold(v))

  # Queries (B hk, rep, S, D), keys and values (B hk, 1, S, D), rotated for tokens from position on.
  def heads(self, qkv: Tensor, kv_heads: Tensor, cos: Tensor, sin: Tensor, position: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
    q, k, v = (self).split(qkv, int(kv_heads), torch.mul(2, torch.size(cos, 1)))
    return (self).rotated_heads(q, k, v, cos, sin, int(position))

  # The same with a norm on each query and key before they are rotated.
  def normed_heads(self, qkv: Tensor, kv_heads: Tensor, cos: Tensor, sin: Tensor, position: Tensor, wq: Tensor, wk: Tensor, eps: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
    q, k, v = (self).split(qkv, int(kv_heads), torch.mul(2, torch.size(cos, 1)))
    return (self).rotated_heads((self).rms_norm(q, wq, eps), (self).rms_norm(k, wk, eps), v, cos, sin, int(position))

  # (B hk, rep, S, D) -> (B, S, hk rep D)
  def unfold_heads(self, o: Tensor, heads: int) -> Tensor:
    b = torch.floordiv(torch.size(o, 0), heads)
    x = torch.view(o, [b, heads, torch.size(o, 1), torch.size(o, 2), torch.size(o, 3)])
    return torch.reshape(torch.permute(x, [0, 3, 1, 2, 4]), [b, torch.size(o, 2), -1])

  # A key-value head as often as it has queries, without a copy.
  def share(self, k: Tensor, q: Tensor) -> Tensor:
    return torch.expand(k, [torch.size(k, 0), torch.size(q, 1), torch.size(k, 2), torch.size(k, 3)])

  def causal_attention(self, q: Tensor, k: Tensor, v: Tensor, kv_heads: Tensor) -> Tensor:
    o = torch.scaled_dot_product_attention(q, (self).share(k, q), (self).share(v, q), None, 0., True)
    return (self).unfold_heads(o, int(kv_heads))

  # (B, S) of ones for tokens -> (B, S, S), added to the scores: 0 where a token may look. The lowest
  # finite number, not minus infinity: a padding row that may look nowhere must not become NaN.
  def additive_mask(self, tokens: Tensor) -> Tensor:
    b = torch.size(tokens, 0)
    s = torch.size(tokens, 1)
    future = torch.triu(torch.ones([s, s], dtype=11, device=ops.prim.device(tokens)), 1)
    hidden = torch.logical_or(torch.unsqueeze(torch.eq(tokens, 0), 1), future)
    return torch.masked_fill(torch.zeros([b, s, s], dtype=6, device=ops.prim.device(tokens)), hidden, -3.4028234663852886e+38)

  def masked_attention(self, q: Tensor, k: Tensor, v: Tensor, kv_heads: Tensor, mask: Tensor) -> Tensor:
    heads = int(kv_heads)
    m = torch.unsqueeze(torch.repeat_interleave(mask, heads, 0), 1)
    o = torch.scaled_dot_product_attention(q, (self).share(k, q), (self).share(v, q), m, 0., False)
    return (self).unfold_heads(o, heads)

  # Writes the new keys and values behind the old ones, then attends. One new token sees all of them;
  # several are only possible at the start.
  def cached_attention(self, q: Tensor, k: Tensor, v: Tensor, kv_heads: Tensor, keys: Tensor, values: Tensor, position: Tensor) -> Tensor:
    start = int(position)
    s = torch.size(k, 2)
    end = torch.add(start, s)
    _0 = torch.copy_(torch.narrow(keys, 2, start, s), k)
    _1 = torch.copy_(torch.narrow(values, 2, start, s), v)
    k2 = torch.narrow(keys, 2, 0, end)
    v2 = torch.narrow(values, 2, 0, end)
    o = torch.scaled_dot_product_attention(q, (self).share(k2, q), (self).share(v2, q), None, 0., torch.gt(s, 1))
    return (self).unfold_heads(o, int(kv_heads))

  # (…, 2 F) -> (…, F): silu(gate) * up
  def swiglu(self, x: Tensor) -> Tensor:
    f = torch.floordiv(torch.size(x, -1), 2)
    return torch.mul(torch.silu(torch.narrow(x, -1, 0, f)), torch.narrow(x, -1, f, f))

  # The rows (N, H) of h (B, S, H) flattened that have a label.
  def pick(self, h: Tensor, rows: Tensor) -> Tensor:
    return torch.index_select(torch.reshape(h, [-1, torch.size(h, -1)]), 0, rows)

  # -log softmax(logits)[target] per row (N), of logits (N, V)
  def losses(self, logits: Tensor, targets: Tensor) -> Tensor:
    lp = torch.log_softmax(torch.to(logits, 6), -1)
    return torch.neg(torch.squeeze(torch.gather(lp, 1, torch.unsqueeze(targets, 1)), 1))

  # The same, and the gradient of their sum times scale by the logits: (softmax - one_hot) * scale
  def losses_and_gradient(self, logits: Tensor, targets: Tensor, scale: Tensor) -> Tuple[Tensor, Tensor]:
    t = torch.unsqueeze(targets, 1)
    lp = torch.log_softmax(torch.to(logits, 6), -1)
    loss = torch.neg(torch.gather(lp, 1, t))
    d = torch.exp_(lp)
    _0 = torch.scatter_add_(d, 1, t, torch.full_like(loss, -1.))
    return (torch.squeeze(loss, 1), torch.to(torch.mul_(d, float(scale)), ops.prim.dtype(logits)))

  # Whether backward from x would reach anything; NDArray.hasGradient tells so of leaves only.
  def is_tracked(self, x: Tensor) -> Tensor:
    return torch.tensor(ops.prim.requires_grad(x))

  # (B, S, H) -> (B, H)
  def last_token(self, h: Tensor) -> Tensor:
    return torch.select(h, 1, -1)
