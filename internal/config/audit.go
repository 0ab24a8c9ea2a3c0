package config

// Audit says what is written of what managers do. The zero value writes nothing.
type Audit struct {
	// File gets a line of JSON for each; empty for none.
	File string
	// Bodies are the operations whose text is written, of "*" for all; BodyLimit
	// how much of each, in bytes.
	Bodies    []string
	BodyLimit int
	// Redact are the names of elements whose content is never written, besides
	// those that always are left out.
	Redact []string
	// Stop says that no manager session may begin while the file cannot be written.
	Stop bool
}
