"""What the providers over the network share: keys, HTTP, errors, instructions."""
