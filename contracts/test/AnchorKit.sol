// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AnchorEvents} from "../AnchorEvents.sol";
import {StateSetAnchor} from "../StateSetAnchor.sol";
import {Model} from "./Model.sol";
import {Vm} from "./Vm.sol";

/// @title What the tests of the anchor share: accounts, streams, and drafts of batches
abstract contract AnchorKit is AnchorEvents {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    address internal constant OWNER = address(0xA11CE);
    address internal constant FIRST = address(0xF1);
    address internal constant SECOND = address(0xF2);
    address internal constant STRANGER = address(0xBAD);
    bytes32 internal constant TENANT = bytes32(bytes16(0x64527dd3a65444109327e58a1492ce77));
    bytes32 internal constant STORE = bytes32(bytes16(0x91def158819a4461b5c97759750ad157));
    bytes32 internal constant OTHER_STORE = bytes32(bytes16(0x00000000000000000000000000000001));
    uint256 internal constant NOW = 1_700_000_000;

    /// @dev The arguments of `anchor`.
    struct Draft {
        bytes32 batchId;
        bytes32 tenantId;
        bytes32 storeId;
        bytes32 eventsRoot;
        bytes32 stateRoot;
        uint64 start;
        uint64 end;
        uint32 count;
    }

    StateSetAnchor internal anchored;

    function send(address sender, Draft memory draft) internal {
        vm.prank(sender);
        anchored.anchor(
            draft.batchId,
            draft.tenantId,
            draft.storeId,
            draft.eventsRoot,
            draft.stateRoot,
            draft.start,
            draft.end,
            draft.count
        );
    }

    function sendRefused(address sender, Draft memory draft, bytes memory because) internal {
        vm.expectRevert(because);
        send(sender, draft);
    }

    /// @dev A batch of STORE that follows `previous`, or begins the stream after an empty draft.
    function follow(Draft memory previous, uint32 count, string memory name) internal pure returns (Draft memory) {
        return draftAfter(STORE, previous, count, name);
    }

    function draftAfter(bytes32 storeId, Draft memory previous, uint32 count, string memory name)
        internal
        pure
        returns (Draft memory draft)
    {
        draft.batchId = keccak256(bytes(name));
        draft.tenantId = TENANT;
        draft.storeId = storeId;
        draft.eventsRoot = sha256(bytes(name));
        draft.start = previous.end + 1;
        draft.end = previous.end + count;
        draft.count = count;
        draft.stateRoot = rootAfter(previous.stateRoot, draft);
    }

    function rootAfter(bytes32 previous, Draft memory draft) internal pure returns (bytes32) {
        bytes32 stream = Model.streamId(draft.tenantId, draft.storeId);
        return Model.stateRoot(stream, previous, draft.eventsRoot, draft.start, draft.end);
    }

    function nothing() internal pure returns (Draft memory draft) {}

    function eq(bytes32 actual, bytes32 expected, string memory what) internal pure {
        require(actual == expected, what);
    }

    function eq(uint256 actual, uint256 expected, string memory what) internal pure {
        require(actual == expected, what);
    }

    function eq(address actual, address expected, string memory what) internal pure {
        require(actual == expected, what);
    }
}
