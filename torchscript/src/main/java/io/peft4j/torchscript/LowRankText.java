package io.peft4j.torchscript;

/**
 * The functions that a rewritten linear layer calls. They are those of PyTorch with the layer's
 * update before the arguments, and exactly those while there is no update. The low-rank path is
 * computed in the type of A and B, float32, and the sum is rounded to the base's, as in PEFT.
 *
 * <pre>
 *   LoRA:  y = x Wᵀ + b + s (x~ Aᵀ) Bᵀ
 *   DoRA:  y = g ⊙ (x Wᵀ) + b + g ⊙ s (x Aᵀ) Bᵀ,   with dropout
 *          y = x Wᵀ + b + (g − 1) ⊙ (x~ Wᵀ) + g ⊙ s (x~ Aᵀ) Bᵀ
 * </pre>
 */
final class LowRankText {

    /** Where the functions lie: a record of their own. */
    static final String MODULE = "__torch__.peft4j_low_rank";

    static final String RECORD = "code/__torch__/peft4j_low_rank.py";

    static final String FUNCTIONS =
            """
            def path(update: List[Tensor],
                x: Tensor) -> Tensor:
              a = update[0]
              b = update[1]
              s = update[2]
              h = torch.to(x, ops.prim.dtype(a))
              return torch.mul(torch.linear(torch.linear(h, a), b), s)
            def dropped(update: List[Tensor],
                x: Tensor) -> Tensor:
              p = update[4]
              if torch.eq(torch.numel(p), 0):
                d = x
              else:
                d = torch.dropout(x, float(p), True)
              return d
            def sum(y: Tensor,
                more: Tensor) -> Tensor:
              return torch.to(torch.add(y, more), ops.prim.dtype(y))
            def gained(update: List[Tensor],
                x: Tensor,
                y: Tensor,
                w: Tensor) -> Tensor:
              g = update[3]
              d = __torch__.peft4j_low_rank.dropped(update, x)
              if torch.eq(torch.numel(update[4]), 0):
                base = y
              else:
                base = torch.matmul(d, torch.t(w))
              low = torch.mul(__torch__.peft4j_low_rank.path(update, d), g)
              return torch.add(low, torch.mul(base, torch.sub(g, 1)))
            def plain(update: List[Tensor],
                x: Tensor,
                y: Tensor,
                w: Tensor) -> Tensor:
              if torch.eq(torch.numel(update[3]), 0):
                d = __torch__.peft4j_low_rank.dropped(update, x)
                r = __torch__.peft4j_low_rank.sum(y, __torch__.peft4j_low_rank.path(update, d))
              else:
                r = __torch__.peft4j_low_rank.sum(y, __torch__.peft4j_low_rank.gained(update, x, y, w))
              return r
            def matmul(update: List[Tensor],
                x: Tensor,
                t: Tensor) -> Tensor:
              y = torch.matmul(x, t)
              if torch.eq(torch.len(update), 0):
                r = y
              else:
                r = __torch__.peft4j_low_rank.plain(update, x, y, torch.t(t))
              return r
            def mm(update: List[Tensor],
                x: Tensor,
                t: Tensor) -> Tensor:
              y = torch.mm(x, t)
              if torch.eq(torch.len(update), 0):
                r = y
              else:
                r = __torch__.peft4j_low_rank.plain(update, x, y, torch.t(t))
              return r
            def addmm(update: List[Tensor],
                bias: Tensor,
                x: Tensor,
                t: Tensor) -> Tensor:
              if torch.eq(torch.len(update), 0):
                r = torch.addmm(bias, x, t)
              else:
                if torch.eq(torch.numel(update[3]), 0):
                  y = torch.addmm(bias, x, t)
                  q = __torch__.peft4j_low_rank.plain(update, x, y, torch.t(t))
                else:
                  y0 = torch.mm(x, t)
                  q = torch.add(__torch__.peft4j_low_rank.plain(update, x, y0, torch.t(t)), bias)
                r = q
              return r
            def linear(update: List[Tensor],
                x: Tensor,
                w: Tensor,
                bias: Optional[Tensor]=None) -> Tensor:
              if torch.eq(torch.len(update), 0):
                r = torch.linear(x, w, bias)
              else:
                if torch.eq(torch.numel(update[3]), 0):
                  y = torch.linear(x, w, bias)
                  q = __torch__.peft4j_low_rank.plain(update, x, y, w)
                else:
                  y0 = torch.linear(x, w)
                  z = __torch__.peft4j_low_rank.plain(update, x, y0, w)
                  if torch.__isnot__(bias, None):
                    q0 = torch.add(z, unchecked_cast(Tensor, bias))
                  else:
                    q0 = z
                  q = q0
                r = q
              return r
            """;

    private LowRankText() {}
}
