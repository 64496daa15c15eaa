  # What is told of predictions, (N, 4) float32 of logits (N, V): log p of the target, the entropy of p, the mean logit,
  # and 1 where the target is the likeliest token, else 0.
  def token_scores(self, logits: Tensor, targets: Tensor) -> Tensor:
    y = torch.to(logits, 6)
    lp = torch.log_softmax(y, -1)
    target = torch.squeeze(torch.gather(lp, 1, torch.unsqueeze(targets, 1)), 1)
    likeliest = torch.to(torch.eq(torch.argmax(y, -1), targets), 6)
    entropy = torch.neg(torch.sum(torch.mul_(torch.exp(lp), lp), [-1]))
    return torch.stack([target, entropy, torch.mean(y, [-1]), likeliest], 1)
