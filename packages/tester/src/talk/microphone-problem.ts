const goesOn = 'Typing works without it.'

/** Why there is no sound of the microphone, and what to do. */
export function microphoneProblem(error: unknown): string {
  const { name, message } = error instanceof Error ? error : new Error(String(error))
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return `The browser does not let this page use the microphone. Allow it beside the address, then speak again. ${goesOn}`
    case 'NotFoundError':
      return `The browser finds no microphone. Connect one, then speak again. ${goesOn}`
    case 'NotReadableError':
      return `Another program has the microphone. Close that program, then speak again. ${goesOn}`
    // A page that is not from this machine has no `navigator.mediaDevices`.
    case 'TypeError':
      return `The browser gives this page no microphone. Open it at its URL with 127.0.0.1. ${goesOn}`
    default:
      return `The microphone does not work: ${message}. ${goesOn}`
  }
}
