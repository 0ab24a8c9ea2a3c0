package config

import (
	"bytes"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// span is a part of the source, in bytes.
type span struct{ start, end int }

// secrets finds what must not be shown: the literals that are given to
// attributes with secret values, and to names that the grammar does not know,
// since those may be misspelt, and whatever has a private key in it. It goes by
// tokens, because a file that does not parse is shown as well. Arguments of env
// and file are not secret.
func secrets(name string, src []byte) []span {
	tokens, _ := hclsyntax.LexConfig(src, name, hcl.InitialPos)
	var found []span
	starting := true
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		if starting && t.Type == hclsyntax.TokenIdent && !opensBlock(tokens[i+1:]) {
			n, masks := maskStatement(tokens[i+1:])
			if !publicNames[string(t.Bytes)] || hasPrivateKey(tokens[i+1:i+1+n]) {
				found = append(found, masks...)
			}
			i += n
		}
		starting = startsStatement(tokens[i].Type)
	}
	return found
}

func hasPrivateKey(tokens hclsyntax.Tokens) bool {
	return slices.ContainsFunc(tokens, func(t hclsyntax.Token) bool { return bytes.Contains(t.Bytes, []byte("PRIVATE KEY-----")) })
}

func startsStatement(previous hclsyntax.TokenType) bool {
	switch previous {
	case hclsyntax.TokenNewline, hclsyntax.TokenComment, hclsyntax.TokenOBrace:
		return true
	}
	return false
}

// opensBlock reports whether the tokens after a name are labels and a brace.
func opensBlock(tokens hclsyntax.Tokens) bool {
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace:
			return true
		case hclsyntax.TokenIdent, hclsyntax.TokenOQuote, hclsyntax.TokenQuotedLit, hclsyntax.TokenCQuote:
		default:
			return false
		}
	}
	return false
}

// maskStatement masks the rest of a statement, and returns how many tokens
// that is.
func maskStatement(tokens hclsyntax.Tokens) (n int, masks []span) {
	depth, call := 0, 0
	for i, t := range tokens {
		switch {
		case opens(t.Type):
			depth++
			if call == 0 && t.Type == hclsyntax.TokenOParen && i > 0 && readsSecret(tokens[i-1]) {
				call = depth
			}
		case closes(t.Type):
			if call == depth {
				call = 0
			}
			if depth--; depth < 0 {
				return i, masks
			}
		case depth == 0 && endsLine(t):
			return i, masks
		case call == 0 && literal(t.Type) && !readsSecret(t):
			masks = appendSpan(masks, span{t.Range.Start.Byte, t.Range.End.Byte})
		}
	}
	return len(tokens), masks
}

// appendSpan joins what the lexer split, so that nothing shows how long or of
// what kind a secret is.
func appendSpan(spans []span, s span) []span {
	if n := len(spans); n > 0 && spans[n-1].end == s.start {
		spans[n-1].end = s.end
		return spans
	}
	return append(spans, s)
}

func opens(t hclsyntax.TokenType) bool {
	switch t {
	case hclsyntax.TokenOParen, hclsyntax.TokenOBrack, hclsyntax.TokenOBrace,
		hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
		return true
	}
	return false
}

func closes(t hclsyntax.TokenType) bool {
	switch t {
	case hclsyntax.TokenCParen, hclsyntax.TokenCBrack, hclsyntax.TokenCBrace, hclsyntax.TokenTemplateSeqEnd:
		return true
	}
	return false
}

// endsLine: a comment to the end of its line includes the newline.
func endsLine(t hclsyntax.Token) bool {
	switch t.Type {
	case hclsyntax.TokenNewline:
		return true
	case hclsyntax.TokenComment:
		return len(t.Bytes) > 0 && t.Bytes[len(t.Bytes)-1] == '\n'
	}
	return false
}

// literal includes identifiers and what is no token at all: a password whose
// quotes were forgotten.
func literal(t hclsyntax.TokenType) bool {
	switch t {
	case hclsyntax.TokenQuotedLit, hclsyntax.TokenStringLit, hclsyntax.TokenIdent, hclsyntax.TokenNumberLit,
		hclsyntax.TokenInvalid, hclsyntax.TokenBadUTF8:
		return true
	}
	return false
}

func readsSecret(t hclsyntax.Token) bool {
	return t.Type == hclsyntax.TokenIdent && (string(t.Bytes) == "env" || string(t.Bytes) == "file")
}
