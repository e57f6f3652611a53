"""What several tests stand on: image factories, scripted peers, real peers."""
