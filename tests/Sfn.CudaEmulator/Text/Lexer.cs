namespace Sfn.CudaEmulator.Text;

internal enum TokenKind : byte { Word, Number, Mark, Text, End }

/// <summary>A word is a name, a directive or a whole opcode with its modifiers; a mark is one character.</summary>
internal readonly record struct Token(TokenKind Kind, string Value, int Line)
{
    public bool Is(char mark) => Kind == TokenKind.Mark && Value[0] == mark;
    public bool IsWord(string word) => Kind == TokenKind.Word && Value == word;
}

/// <summary>Cuts PTX text into tokens; comments and line markers fall away.</summary>
internal sealed class Lexer(string text)
{
    private int _at;
    private int _line = 1;

    public static List<Token> Cut(string text)
    {
        var lexer = new Lexer(text);
        var tokens = new List<Token>();
        do tokens.Add(lexer.Next());
        while (tokens[^1].Kind != TokenKind.End);
        return tokens;
    }

    private char Peek(int ahead = 0) => _at + ahead < text.Length ? text[_at + ahead] : '\0';

    private Token Next()
    {
        SkipBlanks();
        char c = Peek();
        // The image may be the zero-terminated string that a driver is given.
        if (c == '\0') return new Token(TokenKind.End, "end of text", _line);
        int start = _at;
        if (c == '"')
        {
            do _at++;
            while (Peek() is not ('"' or '\0'));
            _at++;
            return new Token(TokenKind.Text, text[(start + 1)..(_at - 1)], _line);
        }
        if (char.IsAsciiDigit(c))
        {
            bool hex = c == '0' && Peek(1) is 'x' or 'X' or 'f' or 'F' or 'd' or 'D';
            while (char.IsAsciiLetterOrDigit(Peek()) || Peek() == '.' || (!hex && Peek() is '+' or '-' && Peek(-1) is 'e' or 'E')) _at++;
            return new Token(TokenKind.Number, text[start.._at], _line);
        }
        if (!IsWordStart(c))
        {
            _at++;
            return new Token(TokenKind.Mark, c.ToString(), _line);
        }
        while (true)
        {
            if (IsWordStart(Peek()) || char.IsAsciiDigit(Peek())) _at++;
            else if (Peek() == ':' && Peek(1) == ':') _at += 2;
            else break;
        }
        return new Token(TokenKind.Word, text[start.._at], _line);
    }

    private static bool IsWordStart(char c) => char.IsAsciiLetter(c) || c is '_' or '$' or '%' or '.';

    private void SkipBlanks()
    {
        while (true)
        {
            char c = Peek();
            if (c == '\n') _line++;
            if (c is ' ' or '\t' or '\r' or '\n')
            {
                _at++;
            }
            else if (c == '/' && Peek(1) == '/')
            {
                while (Peek() is not ('\n' or '\0')) _at++;
            }
            else if (c == '/' && Peek(1) == '*')
            {
                for (_at += 2; Peek() != '\0' && (Peek(-2) != '*' || Peek(-1) != '/'); _at++)
                    if (Peek() == '\n') _line++;
            }
            else
            {
                return;
            }
        }
    }
}
