// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title The hashes of VES v1.0 that anchoring needs (VES 2.6 and 5.3), by the SHA-256 precompile
/// @dev The same functions as in src/ves/log-hash.ts and src/ves/merkle.ts; test/vectors.json holds both to the same values.
library VesHashes {
    /// @notice A tenant or store id is not 16 bytes on the left and zeros on the right.
    /// @param given The id as it was given
    error NotAUuid(bytes32 given);

    /// @notice The 16 bytes of a UUID that stands left-aligned in 32 bytes.
    /// @dev Without the check, ids that differ on the right would name the same stream.
    function uuid(bytes32 leftAligned) internal pure returns (bytes16) {
        if (uint128(uint256(leftAligned)) != 0) revert NotAUuid(leftAligned);
        return bytes16(leftAligned);
    }

    /// @notice The name of a stream, which every state root of it begins with.
    function streamId(bytes16 tenant, bytes16 store) internal pure returns (bytes32) {
        return sha256(abi.encodePacked("VES_STREAM_V1", tenant, store));
    }

    /// @notice The state root after a batch: the chain over all batches of a stream.
    /// @param stream From {streamId}
    /// @param previous The state root before the batch; zero for a stream's first
    function stateRoot(
        bytes32 stream,
        bytes32 previous,
        bytes32 merkleRoot,
        uint64 sequenceStart,
        uint64 sequenceEnd,
        uint32 leafCount
    ) internal pure returns (bytes32) {
        return sha256(
            abi.encodePacked("VES_STATE_ROOT_V1", stream, previous, merkleRoot, sequenceStart, sequenceEnd, leafCount)
        );
    }

    /// @notice The leaf of an event.
    /// @param signature The agent's, 64 bytes
    function leaf(
        bytes16 tenant,
        bytes16 store,
        uint64 sequenceNumber,
        bytes32 eventSigningHash,
        bytes calldata signature
    ) internal pure returns (bytes32) {
        return sha256(abi.encodePacked("VES_LEAF_V1", tenant, store, sequenceNumber, eventSigningHash, signature));
    }

    /// @notice An inner node of a tree.
    function node(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return sha256(abi.encodePacked("VES_NODE_V1", left, right));
    }

    /// @notice Whether `hash` is leaf number `index` of the tree of `leafCount` leaves with this root.
    /// @dev Only real leaves count, at the tree's full depth: padding, inner nodes and indices with extra bits do not pass.
    /// @param path The siblings from leaf to root
    function isIncluded(bytes32 root, uint256 leafCount, bytes32 hash, uint256 index, bytes32[] calldata path)
        internal
        pure
        returns (bool)
    {
        if (index >= leafCount || path.length != Math.log2(leafCount, Math.Rounding.Ceil)) return false;
        for (uint256 height = 0; height < path.length; height++) {
            hash = (index >> height) & 1 == 0 ? node(hash, path[height]) : node(path[height], hash);
        }
        return hash == root;
    }
}
