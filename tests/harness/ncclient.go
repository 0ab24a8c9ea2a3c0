package harness

// python is Debian's own: another one that is earlier in PATH does not see
// Debian's modules.
const python = "/usr/bin/python3"
