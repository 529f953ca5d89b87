{
  "targets": [
    {
      "target_name": "addon",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "message": "node-gyp calls the CMake build, the only definition of it",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["<(PRODUCT_DIR)/addon.node"],
          "action": ["node", "scripts/compile.js", "<(PRODUCT_DIR)"]
        }
      ]
    }
  ]
}
