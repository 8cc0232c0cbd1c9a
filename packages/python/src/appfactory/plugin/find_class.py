"""Finds the class in a plugin's module that is the plugin."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any, Dict, List, Optional, Tuple

from appfactory.errors import ErrorCodes, PluginError
from contracts.base import PluginBase
from contracts.embedding_contract import EmbeddingContract
from contracts.llm_contract import LLMContract
from contracts.stt_contract import STTContract
from contracts.tts_contract import TTSContract

SHIPPED: Dict[str, type] = {
    "tts": TTSContract,
    "stt": STTContract,
    "llm": LLMContract,
    "embedding": EmbeddingContract,
}

_BASES = (PluginBase, *SHIPPED.values())


def find_class(module: ModuleType, manifest: Dict[str, Any]) -> Tuple[type, Optional[PluginBase]]:
    """The plugin's class, and its instance where the module made one itself. Raises CONTRACT_MISMATCH."""
    named = str(manifest.get("entry_point", "")).partition(":")[2]
    exported = getattr(module, named or "Plugin", None)
    if isinstance(exported, PluginBase):
        return type(exported), exported
    if named and not _is_plugin_class(exported):
        raise PluginError(
            ErrorCodes.CONTRACT_MISMATCH,
            f"{module.__file__} has no plugin class {named}, which entry_point names. Correct one of the two",
        )
    found: type = exported if _is_plugin_class(exported) else _only_class(module, manifest)  # type: ignore[assignment]
    _check_contract(found, manifest)
    _check_methods(found, manifest)
    return found, None


def _is_plugin_class(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, PluginBase) and value not in _BASES


def _only_class(module: ModuleType, manifest: Dict[str, Any]) -> type:
    everything = {id(value): value for value in vars(module).values() if _is_plugin_class(value)}
    classes = list(everything.values())
    concrete = [each for each in classes if not inspect.isabstract(each)]
    for group in (concrete, classes):
        own = [each for each in group if each.__module__ == module.__name__]
        left = _best(own or group, manifest)
        if len(left) == 1:
            return left[0]
        if left:
            names = ", ".join(sorted(each.__name__ for each in left))
            raise PluginError(
                ErrorCodes.CONTRACT_MISMATCH,
                f"{module.__file__} has several plugin classes ({names}); name the one to run: `Plugin = …`",
                {"classes": sorted(each.__name__ for each in left)},
            )
    base = SHIPPED.get(str(manifest.get("contract")), PluginBase).__name__
    raise PluginError(
        ErrorCodes.CONTRACT_MISMATCH,
        f"{module.__file__} has no class that extends a contract; write one that extends {base}",
    )


def _best(classes: List[type], manifest: Dict[str, Any]) -> List[type]:
    """Those that no other extends; of several, those of the manifest's contract, then those named …Plugin."""
    left = [each for each in classes if not any(each in other.__mro__[1:] for other in classes)]
    contract = SHIPPED.get(str(manifest.get("contract")), PluginBase)
    fitting = [each for each in left if issubclass(each, contract)] or left
    named = [each for each in fitting if each.__name__.endswith("Plugin")]
    return named if len(named) == 1 else fitting


def _check_contract(found: type, manifest: Dict[str, Any]) -> None:
    wanted = str(manifest.get("contract"))
    own = [name for name, base in SHIPPED.items() if issubclass(found, base)]
    if wanted in own or (not own and wanted not in SHIPPED):
        return
    extends = f'extends the contract "{own[0]}"' if own else "extends none"
    raise PluginError(
        ErrorCodes.CONTRACT_MISMATCH,
        f'The manifest says contract "{wanted}", but {found.__name__} {extends}. Correct one of the two',
    )


def _check_methods(found: type, manifest: Dict[str, Any]) -> None:
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if not missing:
        return
    contract = manifest.get("contract")
    raise PluginError(
        ErrorCodes.CONTRACT_MISMATCH,
        f'{found.__name__} lacks {", ".join(missing)}, which the contract "{contract}" requires',
        {"missing": missing},
    )
