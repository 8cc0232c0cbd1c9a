/** Text of others for a terminal: what it would obey, such as escape sequences, is shown. */
export function visible(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a terminal obeys.
      .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, hexadecimal)
      // These turn the direction of text, so that a name reads as another one.
      .replace(/[\u202a-\u202e\u2066-\u2069]/g, codePoint)
  )
}

function hexadecimal(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
}

function codePoint(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
