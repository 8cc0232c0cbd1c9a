import { render } from 'preact'
import { listen } from './state/events.js'
import { loadErrorTable, refreshPlugins } from './state/plugins.js'
import { Shell } from './views/shell.js'

const root = document.getElementById('app')
if (!root) throw new Error('The page has no #app')
// The token of the address has been exchanged: it is worth nothing any more.
if (location.search !== '') history.replaceState(null, '', location.pathname + location.hash)
render(<Shell />, root)
listen()
void refreshPlugins()
void loadErrorTable()
