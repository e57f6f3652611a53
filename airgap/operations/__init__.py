"""What the config says to do, done from its places to its report; without anybody who looks on."""
