"""Run directories: made by a training (`directory`), read by every other command (`files`, `opening`)."""
