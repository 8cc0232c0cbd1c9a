/** Lower-case words joined by `_` or `-`: `tts_flite`, `my-plugin`. */
export const namePattern = /^[a-z][a-z0-9]*([_-][a-z0-9]+)*$/
