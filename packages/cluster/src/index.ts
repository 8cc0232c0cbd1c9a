/// <reference types="node" preserve="true" />
export type { Beat, BeatPlugin } from './beat.js'
