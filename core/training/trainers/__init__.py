"""What learns: SFT, GRPO and PPO, and what they share."""
