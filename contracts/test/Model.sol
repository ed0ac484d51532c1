// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The formulas of VES 2.6 and 5 once more, with nothing of the contract, and with the padding really filled in
library Model {
    function streamId(bytes32 tenantId, bytes32 storeId) internal pure returns (bytes32) {
        return sha256(bytes.concat("VES_STREAM_V1", bytes16(tenantId), bytes16(storeId)));
    }

    function stateRoot(bytes32 stream, bytes32 previous, bytes32 root, uint64 start, uint64 end)
        internal
        pure
        returns (bytes32)
    {
        bytes memory range = bytes.concat(bytes8(start), bytes8(end), bytes4(uint32(end - start + 1)));
        return sha256(bytes.concat("VES_STATE_ROOT_V1", stream, previous, root, range));
    }

    function leaf(bytes32 tenantId, bytes32 storeId, uint64 number, bytes32 signingHash, bytes memory signature)
        internal
        pure
        returns (bytes32)
    {
        bytes memory place = bytes.concat(bytes16(tenantId), bytes16(storeId), bytes8(number));
        return sha256(bytes.concat("VES_LEAF_V1", place, signingHash, signature));
    }

    function padLeaf() internal pure returns (bytes32) {
        return sha256("VES_PAD_LEAF_V1");
    }

    function node(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return sha256(bytes.concat("VES_NODE_V1", left, right));
    }

    function depth(uint256 count) internal pure returns (uint256 levels) {
        while (2 ** levels < count) levels++;
    }

    /// @dev The root of the tree over these leaves, and the path of the one at `index`.
    function tree(bytes32[] memory leaves, uint256 index) internal pure returns (bytes32 root, bytes32[] memory path) {
        path = new bytes32[](depth(leaves.length));
        bytes32[] memory level = new bytes32[](2 ** path.length);
        for (uint256 i = 0; i < level.length; i++) {
            level[i] = i < leaves.length ? leaves[i] : padLeaf();
        }
        for (uint256 height = 0; height < path.length; height++) {
            path[height] = level[index ^ 1];
            index /= 2;
            bytes32[] memory parents = new bytes32[](level.length / 2);
            for (uint256 i = 0; i < parents.length; i++) {
                parents[i] = node(level[2 * i], level[2 * i + 1]);
            }
            level = parents;
        }
        root = level[0];
    }
}
