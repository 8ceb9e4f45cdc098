package jsonscan

import "testing"

func TestValue(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`"a",1`, `"a"`}, {`"a\"b" }`, `"a\"b"`}, {`"\\" ,`, `"\\"`}, {`"\\\"" `, `"\\\""`}, {`-1.5e3]`, `-1.5e3`}, {`null}`, `null`},
		{`true , 1`, `true`}, {`{"a":[1,{"]":"}"}]} x`, `{"a":[1,{"]":"}"}]}`}, {`[]]`, `[]`}, {`7`, `7`}, {`""`, `""`},
	} {
		if got := c.text[:Value([]byte(c.text), 0)]; got != c.want {
			t.Errorf("%s: got %s, want %s", c.text, got, c.want)
		}
	}
}

func TestSpace(t *testing.T) {
	for text, want := range map[string]int{" \t\r\n1": 4, "1": 0, "": 0, "  ": 2} {
		if got := Space([]byte(text), 0); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}
