"""The file that the host starts: `python run.py <entry file> --dir <folder> --plugins-dir <its parent>`."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

if __name__ == "__main__":
    # Children that multiprocessing spawns run this file again, under another name.
    from appfactory.runtime.late_ssl import import_asyncio

    import_asyncio()

    from appfactory.runtime.main import main

    main(sys.argv[1:])
elif __name__ == "__mp_main__":
    from appfactory.plugin.imports import install_finders
    from appfactory.runtime.main import Options

    _options = Options(sys.argv[1:])
    install_finders(_options.entry_file, _options.folder, _options.plugins_dir)
